//! One request sent on and its answer sent back.

use std::io::IoSlice;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, Response, Version};

use crate::course::Course;
use crate::h1::answer::Wish;
use crate::h1::ask::Ask;
use crate::h1::body::Body;
use crate::h1::buffer::{Buffer, Text};
use crate::h1::call::{Arrived, Call, Unanswered};
use crate::h1::caller::{Break, Caller};
use crate::h1::coder::Coder;
use crate::h1::date;
use crate::h1::line::Line;
use crate::h1::record::Record;
use crate::h1::relay::{Broken, Relay};
use crate::h1::send::{SendError, send};
use crate::h1::session::Session;
use crate::h1::upload::Stop;
use crate::h1::wire::Wire;
use crate::page::Failure;
use crate::request_id::RequestId;

/// What becomes of a client's connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It may ask for more.
    On,
    /// It ends, as the client expects or has to live with.
    End,
    /// It ends while the client may be sending more.
    Early,
    /// The request has been left alone: it is not for this path.
    Odd,
}

impl<S: Line> Session<'_, S> {
    /// Answers `ask`, which is the first that is incoming.
    pub(super) async fn answer(&mut self, ask: &mut Ask) -> Flow {
        let (shared, started, host) = (self.shared, Instant::now(), ask.host);
        let mut course = Course::new(shared, host.as_str(), ask.is_idempotent);
        let Some(first) = ask.first_place(&mut course, shared) else { return Flow::Odd };
        self.idle = ask.idle;
        if let Err(failure) = self.begin_upload(ask) {
            return self.refuse(ask, &failure, started).await;
        }
        match (Call { shared, caller: &mut *self, ask }).run(&mut course, first).await {
            Ok(arrived) => {
                shared.counters.answered(Version::HTTP_11, arrived.status);
                let endpoint = arrived.flight.endpoint();
                let record = Record::begin(&endpoint.tally, started, arrived.status, self.received(ask));
                let mut record = record.noted(
                    shared,
                    &mut ask.onward,
                    &self.peer,
                    Some(endpoint.address),
                    Version::HTTP_11,
                );
                self.pass_on(ask, arrived, &mut record).await
            }
            Err(Unanswered::Gone) => Flow::End,
            Err(Unanswered::Failed(failure)) => self.refuse(ask, &failure, started).await,
        }
    }

    async fn pass_on(&mut self, ask: &Ask, arrived: Arrived<Text>, record: &mut Record<'_>) -> Flow {
        let Arrived { answer, encoder, head, buffer, wire, flight, .. } = arrived;
        let is_last = self.is_last(ask);
        self.excuse(true);
        let relay = Relay { body: Body::new(&answer, wire, flight, self.shared.clock, self.has_asked()) };
        let passed = match encoder {
            Some(encoder) => {
                Box::pin(Coder::new(relay, encoder, head, &mut record.sent).run(self, buffer)).await
            }
            None => relay.run(self, head, buffer, &mut record.sent).await,
        };
        record.received = self.received(ask);
        match passed {
            Ok(()) => self.answered(ask, is_last),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "an answer broke off");
                if let Broken::App(_) = error {
                    record.cut_off();
                }
                Flow::End
            }
        }
    }

    /// How much of the body of `ask` has come.
    fn received(&self, ask: &Ask) -> u64 {
        self.upload.as_ref().map_or(ask.body_bytes as u64, |upload| upload.received)
    }

    /// Whether the client is to come back on another connection.
    fn is_last(&self, ask: &Ask) -> bool {
        !ask.keeps_alive || self.shared.wants_connections_closed()
    }

    async fn refuse(&mut self, ask: &mut Ask, failure: &Failure, started: Instant) -> Flow {
        let page = failure.page(&ask.accept(), &ask.id.value());
        self.shared.counters.answered(Version::HTTP_11, failure.status());
        let tally = self
            .shared
            .table
            .load()
            .find(ask.host.as_str())
            .map(|service| Arc::clone(service.tallies.newest()));
        let record = tally.map(|tally| Record::begin(&tally, started, failure.status(), self.received(ask)));
        let mut record = record
            .map(|record| record.noted(self.shared, &mut ask.onward, &self.peer, None, Version::HTTP_11));
        let is_last = self.is_last(ask) || !self.has_asked();
        let mut text = Text::new();
        write_page(&mut text, &page, is_last);
        if !ask.is_head {
            if let Some(record) = &mut record {
                record.sent = page.body().len() as u64;
            }
            text.extend_from_slice(page.body().as_bytes());
        }
        match self.send(&mut [IoSlice::new(&text)], None).await {
            Ok(()) => self.answered(ask, is_last),
            Err(_) => Flow::End,
        }
    }

    /// Refuses what has arrived, of which nothing is known that an app could be asked.
    pub(super) async fn refuse_unread(&mut self, failure: &Failure) -> Flow {
        let page = failure.page(&HeaderMap::new(), &RequestId::choose(None, false).value());
        self.shared.counters.answered(Version::HTTP_11, failure.status());
        let mut text = Text::new();
        write_page(&mut text, &page, true);
        text.extend_from_slice(page.body().as_bytes());
        match self.send(&mut [IoSlice::new(&text)], None).await {
            Ok(()) => Flow::Early,
            Err(_) => Flow::End,
        }
    }

    /// The answer is out.
    fn answered(&mut self, ask: &Ask, is_last: bool) -> Flow {
        match is_last {
            _ if !self.has_asked() => Flow::Early,
            false => {
                self.forget(ask);
                Flow::On
            }
            true if ask.keeps_alive => Flow::Early,
            true => Flow::End,
        }
    }
}

impl<S: Line> Caller for Session<'_, S> {
    type Head = Text;

    fn wish(&self, ask: &Ask) -> Wish {
        Wish { is_head: ask.is_head, is_last: self.is_last(ask) }
    }

    fn buffer(&self) -> Buffer {
        Buffer::large()
    }

    fn allow(&mut self, longest: Duration) {
        self.pulse.until(self.shared.clock.now(), longest);
    }

    async fn send_on(&mut self, ask: &Ask, wire: &mut Wire, count: &mut usize) -> Result<(), SendError> {
        if let Some(upload) = &mut self.upload {
            let is_overdue = |_: &mut Context<'_>| self.pulse.is_overdue(self.shared);
            return upload.start(&ask.onward, &mut self.incoming, wire, is_overdue, count).await;
        }
        wire.haste.set(true);
        let incoming = self.incoming.as_ref().map_or(&[][..], Buffer::filled);
        let body = incoming.get(ask.head_bytes..ask.head_bytes + ask.body_bytes).unwrap_or_default();
        let mut parts = [IoSlice::new(&ask.onward), IoSlice::new(body)];
        let is_overdue = |_: &mut Context<'_>| self.pulse.is_overdue(self.shared);
        send(&mut wire.stream, &mut parts, is_overdue, count).await
    }

    /// As long as it takes, the app's time runs on: that this client reads nothing must not look like the app's fault.
    async fn tell(&mut self, head: Text) -> Result<(), Break> {
        if head.starts_with(b"HTTP/1.1 100 ")
            && let Some(upload) = &mut self.upload
            && !upload.go_on()
        {
            return Ok(());
        }
        let is_overdue = |_: &mut Context<'_>| self.pulse.is_overdue(self.shared);
        let told = send(&mut self.stream, &mut [IoSlice::new(&head)], is_overdue, &mut 0).await;
        told.map_err(|_| Break::Client)
    }

    fn is_body_gone(&self) -> bool {
        self.upload.as_ref().is_some_and(|upload| upload.is_touched)
    }

    fn poll_break(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Option<Break> {
        match self.poll_upload(context, wire) {
            Poll::Ready(Err(Stop::Gone)) => return Some(Break::Client),
            Poll::Ready(Err(Stop::Bad(failure))) => return Some(Break::Bad(failure)),
            Poll::Ready(Ok(())) if self.has_asked() && self.is_client_gone(context) => {
                return Some(Break::Client);
            }
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        self.pulse.is_overdue(self.shared).then_some(Break::Late)
    }
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
