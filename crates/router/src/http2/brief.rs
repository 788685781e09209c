//! A common request's short way: what `h1` does for one over HTTP/1.1, and with its help.

use std::future::poll_fn;
use std::io::IoSlice;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use http::Version;
use http::header::{CONTENT_LENGTH, COOKIE, DATE, HeaderValue};
use http::request::Parts;
use httparse::Header;

use super::alarm::Alarm;
use super::coder::Coder;
use super::delivery::{Delivery, Patience, Undelivered};
use super::outline::Head;
use super::relay::{Broken, Relay};
use super::streamed::Streamed;
use crate::course::{Boarding, Course};
use crate::downgrade::joined_cookies;
use crate::h1::{
    Arrived, Ask, Body, Break, Buffer, Call, Caller, FIELDS, Record, Request, SendError, Unanswered, Wire,
    Wish, date, send,
};
use crate::page::Failure;
use crate::proxy::Client;
use crate::shared::Shared;

/// The longest body of a common request, in bytes: what any container takes in at once.
const BODY_BYTES: u64 = 16 * 1024;

/// A common request, and who waits for its answer.
pub(super) struct Brief<'a> {
    shared: &'a Shared,
    client: &'a Client,
    respond: &'a mut SendResponse<Bytes>,
    body: Bytes,
    /// For what is done at present.
    alarm: Alarm,
}

/// What the request with this `head` asks for, and its body, if it is common. Nothing of the body is lost if it is not.
pub(super) async fn read(
    shared: &Shared,
    client: &Client,
    head: &Parts,
    body: &mut Streamed,
) -> Option<(Ask, Bytes)> {
    let cookies = joined_cookies(&head.headers);
    let mut room = [httparse::EMPTY_HEADER; FIELDS];
    let fields = fields(head, cookies.as_ref(), &mut room)?;
    let (method, target) = (head.method.as_str(), head.uri.path_and_query()?.as_str());
    let request = Request::of(Version::HTTP_2, method, target, fields, 0)?;
    let ask = Ask::of(shared, &client.peer, client.secured.as_ref(), &request)?;
    let taken = poll_fn(|context| Poll::Ready(body.take_whole(BODY_BYTES, context))).await?;
    if taken.len() == ask.body_bytes {
        return Some((ask, taken));
    }
    body.put_back(&taken);
    None
}

/// The fields of a request as HTTP/1.1 has them; none if there are too many.
fn fields<'h, 'b>(
    head: &'b Parts,
    cookies: Option<&'b HeaderValue>,
    room: &'h mut [Header<'b>; FIELDS],
) -> Option<&'h [Header<'b>]> {
    let authority = head.uri.authority()?.as_str().as_bytes();
    let host = Header { name: "host", value: authority };
    let of_head = head.headers.iter().filter(|(name, _)| cookies.is_none() || *name != COOKIE);
    let of_head = of_head.map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
    let cookies = cookies.map(|value| Header { name: "cookie", value: value.as_bytes() });
    let mut count = 0;
    for field in std::iter::once(host).chain(of_head).chain(cookies) {
        *room.get_mut(count)? = field;
        count += 1;
    }
    Some(&room[..count])
}

impl<'a> Brief<'a> {
    /// One whose `body` is at hand.
    pub(super) fn new(
        shared: &'a Shared,
        client: &'a Client,
        respond: &'a mut SendResponse<Bytes>,
        body: Bytes,
    ) -> Self {
        Self { shared, client, respond, body, alarm: Alarm::new(Duration::MAX) }
    }

    /// Answers `ask`, which goes to `first` to begin with.
    pub(super) async fn answer(
        mut self,
        ask: &mut Ask,
        course: &mut Course<'_>,
        first: Boarding,
        started: Instant,
    ) {
        let (busy, _) = self.client.watch.begin();
        let shared = self.shared;
        let broken = match (Call { shared, caller: &mut self, ask }).run(course, first).await {
            Ok(arrived) => self.pass_on(ask, arrived, started).await,
            Err(Unanswered::Gone) => Ok(()),
            Err(Unanswered::Failed(failure)) => self.refuse(ask, &failure, started).await,
        };
        if let Err(error) = broken {
            tracing::debug!(%error, "an answer broke off");
        }
        drop(busy);
    }

    async fn pass_on(
        &mut self,
        ask: &mut Ask,
        arrived: Arrived<Head>,
        started: Instant,
    ) -> Result<(), Broken> {
        let Arrived { answer, status, encoder, head: Head(head), buffer, wire, flight } = arrived;
        self.shared.counters.answered(Version::HTTP_2, status);
        let endpoint = flight.endpoint();
        let record = Record::begin(&endpoint.tally, started, status, self.body.len() as u64);
        let address = Some(endpoint.address);
        let mut record =
            record.noted(self.shared, &mut ask.onward, &self.client.peer, address, Version::HTTP_2);
        let relay = Relay::new(Body::new(&answer, wire, flight, self.shared.clock, true));
        let patience = Patience { shared: self.shared, idle: ask.idle };
        let passed = match encoder {
            Some(encoder) => {
                let coder = Coder::new(relay, encoder, &mut record.sent);
                Box::pin(coder.run(head, buffer, self.respond, patience)).await
            }
            None => relay.run(head, buffer, self.respond, patience, &mut record.sent).await,
        };
        if let Err(Broken::App(_)) = passed {
            record.cut_off();
        }
        passed
    }

    async fn refuse(&mut self, ask: &mut Ask, failure: &Failure, started: Instant) -> Result<(), Broken> {
        let (mut head, body) = failure.page(&ask.accept(), &ask.id.value()).into_parts();
        let status = failure.status();
        self.shared.counters.answered(Version::HTTP_2, status);
        let table = self.shared.table.load();
        let record = table.find(ask.host.as_str()).map(|service| {
            let record = Record::begin(service.tallies.newest(), started, status, self.body.len() as u64);
            record.noted(self.shared, &mut ask.onward, &self.client.peer, None, Version::HTTP_2)
        });
        drop(table);
        head.headers.insert(CONTENT_LENGTH, body.len().into());
        head.headers.insert(DATE, date::value());
        let head = http::Response::from_parts(head, ());
        let stream = self.respond.send_response(head, ask.is_head).map_err(Undelivered::from)?;
        if ask.is_head {
            return Ok(());
        }
        if let Some(mut record) = record {
            record.sent = body.len() as u64;
        }
        let patience = Patience { shared: self.shared, idle: ask.idle };
        Ok(Delivery::new(stream, patience).data(body.into(), true).await?)
    }
}

impl Caller for Brief<'_> {
    type Head = Head;

    fn wish(&self, ask: &Ask) -> Wish {
        Wish { is_head: ask.is_head, is_last: false }
    }

    fn buffer(&self) -> Buffer {
        Buffer::medium()
    }

    fn allow(&mut self, longest: Duration) {
        self.alarm = Alarm::new(longest);
    }

    async fn send_on(&mut self, ask: &Ask, wire: &mut Wire, count: &mut usize) -> Result<(), SendError> {
        wire.haste.set(true);
        let mut parts = [IoSlice::new(&ask.onward), IoSlice::new(&self.body)];
        send(&mut wire.stream, &mut parts, |context| self.alarm.is_due(context), count).await
    }

    async fn tell(&mut self, Head(head): Head) -> Result<(), Break> {
        let is_left = poll_fn(|context| Poll::Ready(self.respond.poll_reset(context).is_ready())).await;
        let told = if is_left { Err(Break::Client) } else { Ok(()) };
        told.and_then(|()| self.respond.send_informational(head).map_err(|_| Break::Client))
    }

    fn poll_break(&mut self, context: &mut Context<'_>, _wire: &mut Wire) -> Option<Break> {
        if self.respond.poll_reset(context).is_ready() {
            return Some(Break::Client);
        }
        self.alarm.is_due(context).then_some(Break::Late)
    }
}
