//! A common request as metrics and the access log see it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{StatusCode, Version};
use time::OffsetDateTime;

use crate::access::{AccessLog, Line, Wanted};
use crate::forwarded::Peer;
use crate::h1::onward::Onward;
use crate::metrics::{Event, Exchange, Tally};
use crate::shared::Shared;

/// A request that is being answered; counted when dropped, which is when its answer has ended or broken off.
pub(crate) struct Record<'a> {
    /// Bytes of the answer's body so far.
    pub(crate) sent: u64,
    /// Bytes of the request's body so far.
    pub(crate) received: u64,
    tally: Arc<Tally>,
    started: Instant,
    status: StatusCode,
    first_byte: Duration,
    note: Option<Note<'a>>,
}

/// What a line in the access log needs beside that. Made only for requests that leave one.
struct Note<'a> {
    wanted: Wanted,
    log: &'a AccessLog,
    /// The request's head as the app saw it, which says who asked.
    onward: Onward,
    endpoint: Option<SocketAddr>,
    version: Version,
    tls: &'static str,
}

impl<'a> Record<'a> {
    /// Of a request that began at `started`, brought `received` bytes and is answered with `status` from now on.
    pub(crate) fn begin(tally: &Arc<Tally>, started: Instant, status: StatusCode, received: u64) -> Self {
        let (tally, first_byte) = (Arc::clone(tally), started.elapsed());
        Self { sent: 0, received, tally, started, status, first_byte, note: None }
    }

    /// The same, which leaves a line in the access log if it is to: about the request with the head `onward`, which
    /// it takes, of `peer` over this version of HTTP, that `endpoint` answered. Apps that want lines of their own are not served on this path.
    pub(crate) fn noted(
        mut self,
        shared: &'a Shared,
        onward: &mut Onward,
        peer: &Peer,
        endpoint: Option<SocketAddr>,
        version: Version,
    ) -> Self {
        let wanted = Wanted::choose(&shared.table.load().mesh.access_log, None, self.status);
        self.note = (!wanted.is_nothing()).then(|| Note {
            wanted,
            log: &shared.access,
            onward: std::mem::take(onward),
            endpoint,
            version,
            tls: peer.tls,
        });
        self
    }

    /// Takes note that the app began its answer and did not end it.
    pub(crate) fn cut_off(&self) {
        self.tally.note(Event::CutOff);
    }

    fn exchange(&self) -> Exchange {
        Exchange {
            status: self.status,
            first_byte: self.first_byte,
            whole: self.started.elapsed(),
            received: self.received,
            sent: self.sent,
        }
    }
}

impl Note<'_> {
    fn leave(&self, exchange: &Exchange, tally: &Tally) {
        let head = &self.onward;
        let line = Line {
            at: OffsetDateTime::now_utc(),
            client: head.marked(|marks| &marks.client),
            authorization: head.marked(|marks| &marks.authorization),
            method: head.marked(|marks| &marks.method),
            target: head.marked(|marks| &marks.target),
            version: self.version,
            exchange,
            referer: head.marked(|marks| &marks.referer),
            agent: head.marked(|marks| &marks.agent),
            host: head.marked(|marks| &marks.host),
            app: tally.app.as_ref(),
            release: tally.release,
            endpoint: self.endpoint,
            request_id: head.marked(|marks| &marks.id),
            tls: self.tls,
        };
        self.log.note(self.wanted, &line);
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let exchange = self.exchange();
        self.tally.record(&exchange);
        if let Some(note) = &self.note {
            note.leave(&exchange, &self.tally);
        }
    }
}
