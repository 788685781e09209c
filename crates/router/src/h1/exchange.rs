//! One request sent on and its answer sent back.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::header::{ACCEPT, HeaderMap, HeaderValue};
use http::{Response, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::course::{Boarding, Course, Place, Setback, may_repeat};
use crate::endpoint::Flight;
use crate::h1::answer::{Answer, Garbled, Wish};
use crate::h1::ask::Ask;
use crate::h1::buffer::{Buffer, Text};
use crate::h1::record::Record;
use crate::h1::relay::Relay;
use crate::h1::send::{SendError, send};
use crate::h1::session::Session;
use crate::h1::wire::Wire;
use crate::h1::{date, request};
use crate::page::Failure;
use crate::reach::reach;
use crate::stream::is_lost;

/// What becomes of a client's connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It may ask for more.
    On,
    /// It ends.
    End,
    /// The request has been left alone: it is not for this path.
    Odd,
}

/// Why an exchange ended early.
enum Break {
    /// The client is gone.
    Client,
    /// See there.
    Endpoint(Setback),
    /// The endpoint did not answer in time.
    Late,
}

/// The beginning of an answer.
struct Arrived {
    answer: Answer,
    /// The head as the visitor shall see it.
    head: Text,
    /// What came of the body, after the head as it came.
    buffer: Buffer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// Answers `ask`, which is the first that is incoming.
    pub(super) async fn answer(&mut self, ask: &Ask) -> Flow {
        let (shared, started) = (self.shared, Instant::now());
        let mut course = Course::new(shared, ask.host.as_str(), ask.is_idempotent);
        let mut first = match ask.first_place(&mut course, shared) {
            Some(Boarding::Place(place)) => Some(place),
            Some(Boarding::Nowhere | Boarding::Left) => None,
            None => return Flow::Odd,
        };
        let failure = loop {
            let place = match first.take() {
                Some(place) => Ok(Some(place)),
                None => course.place(),
            };
            let tried = match place {
                Ok(Some(place)) => self.try_at(&mut course, ask, place, started).await,
                Ok(None) => course.wait().await.map(|()| None),
                Err(failure) => Err(failure),
            };
            match tried {
                Ok(Some(flow)) => return flow,
                Ok(None) => {}
                Err(failure) => break failure,
            }
        };
        self.refuse(ask, &failure, started).await
    }

    /// Tries one place. None if another is to be tried.
    async fn try_at(
        &mut self,
        course: &mut Course<'_>,
        ask: &Ask,
        place: Place,
        started: Instant,
    ) -> Result<Option<Flow>, Failure> {
        let Place { flight, connect, answer: patience, .. } = place;
        let endpoint = flight.endpoint();
        let kept = match course.longest_idle() {
            Some(longest) => endpoint.wires.take(self.shared.clock.now(), longest).await,
            None => None,
        };
        let open = || Wire::connect(endpoint.address, endpoint.tls.as_ref(), connect);
        let wire = match kept {
            Some(wire) => Some(wire),
            None => reach(self.shared, course, endpoint, open).await?,
        };
        let Some(mut wire) = wire else { return Ok(None) };
        self.pulse.until(self.shared.clock.now(), patience);
        match self.exchange(ask, &mut wire).await {
            Ok(arrived) => {
                let status = StatusCode::from_u16(arrived.answer.status).map_err(|_| Failure::Garbled)?;
                course.answered(endpoint, status);
                self.shared.counters.answered(Version::HTTP_11, status);
                let record = Record::begin(&endpoint.tally, started, status, ask.body_bytes as u64);
                let mut record = record.noted(self.shared, &ask.onward, &self.peer, Some(endpoint.address));
                Ok(Some(self.pass_on(ask, arrived, wire, flight, &mut record).await))
            }
            Err(Break::Client) => Ok(Some(Flow::End)),
            Err(Break::Late) if self.shared.ending.is_cancelled() => Ok(Some(Flow::End)),
            Err(Break::Late) => Err(course.late(endpoint)),
            Err(Break::Endpoint(setback)) => {
                tracing::debug!(address = %endpoint.address, ?setback, "an exchange failed");
                // The body, if any, is at hand.
                course.failed(endpoint, setback, may_repeat(ask.is_idempotent, false)).map(|()| None)
            }
        }
    }

    async fn exchange(&mut self, ask: &Ask, wire: &mut Wire) -> Result<Arrived, Break> {
        let is_new = !std::mem::replace(&mut wire.is_used, true);
        let unanswered = Setback::Unanswered { is_new };
        self.send_on(ask, wire, unanswered).await?;
        let wish = Wish { is_head: ask.is_head, is_last: self.is_last(ask) };
        let (mut buffer, mut head) = (None, Text::new());
        loop {
            match poll_fn(|context| self.poll_answer(context, wire, &mut buffer)).await? {
                Ok(1..) => {}
                Ok(_) => return Err(Break::Endpoint(unanswered)),
                Err(error) => return Err(Break::Endpoint(setback(&error, unanswered))),
            }
            let Some(arrived) = &buffer else { continue };
            match Answer::read(arrived.filled(), wish, &mut head) {
                Ok(Some(answer)) => {
                    let buffer = buffer.take().unwrap_or_else(Buffer::large);
                    return Ok(Arrived { answer, head, buffer });
                }
                Ok(None) if !arrived.is_full() => {}
                Ok(None) | Err(Garbled) => return Err(Break::Endpoint(Setback::Garbled)),
            }
        }
    }

    async fn send_on(&self, ask: &Ask, wire: &mut Wire, unanswered: Setback) -> Result<(), Break> {
        let incoming = self.incoming.as_ref().map_or(&[][..], Buffer::filled);
        let body = incoming.get(ask.head_bytes..ask.head_bytes + ask.body_bytes).unwrap_or_default();
        let mut parts = [IoSlice::new(&ask.onward), IoSlice::new(body)];
        let mut count = 0;
        match send(&mut wire.stream, &mut parts, &self.pulse, self.shared, &mut count).await {
            Ok(()) => Ok(()),
            Err(SendError::Overdue) => Err(Break::Late),
            Err(SendError::Broken(error)) => {
                let otherwise = if count == 0 { Setback::Unsent } else { unanswered };
                Err(Break::Endpoint(setback(&error, otherwise)))
            }
        }
    }

    /// Reads from the endpoint; meanwhile takes note of a client that leaves.
    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        wire: &mut Wire,
        buffer: &mut Option<Buffer>,
    ) -> Poll<Result<io::Result<usize>, Break>> {
        let mut arriving = buffer.take().unwrap_or_else(Buffer::large);
        let polled = arriving.poll_fill(context, &mut wire.stream);
        *buffer = Some(arriving).filter(|arriving| !arriving.is_empty());
        if let Poll::Ready(read) = polled {
            return Poll::Ready(Ok(read));
        }
        if self.is_client_gone(context) {
            return Poll::Ready(Err(Break::Client));
        }
        if self.pulse.is_overdue(self.shared) {
            return Poll::Ready(Err(Break::Late));
        }
        Poll::Pending
    }

    async fn pass_on(
        &mut self,
        ask: &Ask,
        arrived: Arrived,
        wire: Wire,
        flight: Flight,
        record: &mut Record,
    ) -> Flow {
        let Arrived { answer, head, mut buffer } = arrived;
        let is_last = self.is_last(ask);
        buffer.consume(answer.head_bytes);
        let relay = Relay::new(&answer, wire, flight, self.shared.clock);
        let passed = relay.run(self, &head, buffer, &mut record.sent);
        match passed.await {
            Ok(()) if !is_last => {
                self.forget(ask);
                Flow::On
            }
            Ok(()) => Flow::End,
            Err(error) => {
                tracing::debug!(%error, "an answer broke off");
                Flow::End
            }
        }
    }

    /// Whether the client is to come back on another connection.
    fn is_last(&self, ask: &Ask) -> bool {
        !ask.keeps_alive || self.shared.wants_connections_closed()
    }

    async fn refuse(&mut self, ask: &Ask, failure: &Failure, started: Instant) -> Flow {
        self.shared.counters.answered(Version::HTTP_11, failure.status());
        let tally = self
            .shared
            .table
            .load()
            .find(ask.host.as_str())
            .map(|service| Arc::clone(service.tallies.newest()));
        let record =
            tally.map(|tally| Record::begin(&tally, started, failure.status(), ask.body_bytes as u64));
        let mut record = record.map(|record| record.noted(self.shared, &ask.onward, &self.peer, None));
        let page = failure.page(&self.accept(ask), &ask.id.value());
        let is_last = self.is_last(ask);
        let mut text = Text::new();
        write_page(&mut text, &page, is_last);
        if !ask.is_head {
            if let Some(record) = &mut record {
                record.sent = page.body().len() as u64;
            }
            text.extend_from_slice(page.body().as_bytes());
        }
        match self.send(&mut [IoSlice::new(&text)]).await {
            Ok(()) if !is_last => {
                self.forget(ask);
                Flow::On
            }
            _ => Flow::End,
        }
    }

    /// What a page has to know of the request's headers.
    fn accept(&self, ask: &Ask) -> HeaderMap {
        let incoming = self.incoming.as_ref().map_or(&[][..], Buffer::filled);
        let head = incoming.get(..ask.head_bytes).unwrap_or_default();
        let accept =
            request::first_value(head, "accept").and_then(|value| HeaderValue::from_bytes(value).ok());
        accept.into_iter().map(|value| (ACCEPT, value)).collect()
    }
}

fn setback(error: &io::Error, otherwise: Setback) -> Setback {
    if is_lost(error) { Setback::Lost } else { otherwise }
}

fn write_page(text: &mut Text, page: &Response<String>, is_last: bool) {
    let status = page.status();
    let mut put = |parts: [&[u8]; 4]| parts.iter().for_each(|part| text.extend_from_slice(part));
    let reason = status.canonical_reason().unwrap_or_default();
    put([b"HTTP/1.1 ", status.as_str().as_bytes(), b" ", reason.as_bytes()]);
    for (name, value) in page.headers() {
        put([b"\r\n", name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    let length = page.body().len().to_string();
    put([b"\r\nContent-Length: ", length.as_bytes(), b"\r\n", b""]);
    date::write(text);
    text.extend_from_slice(if is_last { b"Connection: close\r\n\r\n" } else { b"\r\n" });
}
