//! A common request as metrics and the access log see it.

use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{StatusCode, Version};
use time::OffsetDateTime;

use super::request::{FIELDS, OWN_FIELDS};
use crate::access::{AccessLog, Line, Wanted};
use crate::forwarded::Peer;
use crate::metrics::{Exchange, Tally};
use crate::shared::Shared;

/// A request that is being answered; counted when dropped, which is when its answer has ended or broken off.
pub(crate) struct Record {
    /// Bytes of the answer's body so far.
    pub(crate) sent: u64,
    tally: Arc<Tally>,
    started: Instant,
    status: StatusCode,
    first_byte: Duration,
    received: u64,
    note: Option<Note>,
}

/// What a line in the access log needs beside that. Made only for requests that leave one.
struct Note {
    wanted: Wanted,
    log: Arc<AccessLog>,
    /// The request's head as the app saw it, which says who asked.
    onward: Vec<u8>,
    endpoint: Option<SocketAddr>,
    version: Version,
    tls: &'static str,
}

impl Record {
    /// Of a request that began at `started`, brought `received` bytes and is answered with `status` from now on.
    pub(crate) fn begin(tally: &Arc<Tally>, started: Instant, status: StatusCode, received: u64) -> Self {
        let (tally, first_byte) = (Arc::clone(tally), started.elapsed());
        Self { sent: 0, tally, started, status, first_byte, received, note: None }
    }

    /// The same, which leaves a line in the access log if it is to: about the request with the head `onward`, of `peer`
    /// over this version of HTTP, that `endpoint` answered. Apps that want lines of their own are not served on this path.
    pub(crate) fn noted(
        mut self,
        shared: &Shared,
        onward: &[u8],
        peer: &Peer,
        endpoint: Option<SocketAddr>,
        version: Version,
    ) -> Self {
        let wanted = Wanted::choose(&shared.table.load().mesh.access_log, None, self.status);
        self.note = (!wanted.is_nothing()).then(|| Note {
            wanted,
            log: Arc::clone(&shared.access),
            onward: onward.to_vec(),
            endpoint,
            version,
            tls: peer.tls,
        });
        self
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

impl Note {
    fn leave(&self, exchange: &Exchange, tally: &Tally) {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS + OWN_FIELDS];
        let mut head = httparse::Request::new(&mut []);
        if head.parse_with_uninit_headers(&self.onward, &mut room).is_err() {
            return;
        }
        let field = |name: &str| {
            let found = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            found.map_or(&b""[..], |field| field.value)
        };
        let line = Line {
            at: OffsetDateTime::now_utc(),
            client: field("x-forwarded-for"),
            authorization: field("authorization"),
            method: head.method.unwrap_or_default().as_bytes(),
            target: head.path.unwrap_or_default().as_bytes(),
            version: self.version,
            exchange,
            referer: field("referer"),
            agent: field("user-agent"),
            host: field("host"),
            app: tally.app.as_ref(),
            release: tally.release,
            endpoint: self.endpoint,
            request_id: field("x-request-id"),
            tls: self.tls,
        };
        self.log.note(self.wanted, &line);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let exchange = self.exchange();
        self.tally.record(&exchange);
        if let Some(note) = &self.note {
            note.leave(&exchange, &self.tally);
        }
    }
}
