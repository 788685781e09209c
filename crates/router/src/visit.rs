//! One request as metrics and the access log see it, from its head to the last byte of its answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, REFERER, USER_AGENT};
use http::request::Parts;
use time::OffsetDateTime;

use crate::access::{AccessLog, Line, Wanted};
use crate::metrics::{Event, Exchange, Tally};
use crate::upload::Upload;

/// A request that is being answered; counted when dropped, which is when its answer has ended or broken off.
pub(crate) struct Visit {
    started: Instant,
    upload: Upload,
    /// None until somebody is found who answers for its host.
    tally: Option<Arc<Tally>>,
    status: StatusCode,
    first_byte: Duration,
    sent: u64,
    note: Option<Box<Note>>,
}

/// What a line in the access log needs beside that. Made only for requests that leave one.
pub(crate) struct Note {
    /// Which lines.
    pub(crate) wanted: Wanted,
    /// Who takes them.
    pub(crate) log: Arc<AccessLog>,
    /// The request's head.
    pub(crate) head: Parts,
    /// Its name.
    pub(crate) request_id: HeaderValue,
    /// Who asked.
    pub(crate) client: IpAddr,
    /// Who answered.
    pub(crate) endpoint: Option<SocketAddr>,
    /// The version of TLS; empty without it.
    pub(crate) tls: &'static str,
}

impl Visit {
    /// A visit that begins now and brings `upload`.
    pub(crate) fn begin(upload: &Upload) -> Self {
        let (upload, status, first_byte) = (upload.clone(), StatusCode::OK, Duration::ZERO);
        Self { started: Instant::now(), upload, tally: None, status, first_byte, sent: 0, note: None }
    }

    /// Counts what happened to it, if that is counted.
    pub(crate) fn note(&self, event: Option<Event>) {
        if let Some((tally, event)) = self.tally.as_ref().zip(event) {
            tally.note(event);
        }
    }

    /// Counts it in `tally`.
    pub(crate) fn count_in(&mut self, tally: &Arc<Tally>) {
        self.tally = Some(Arc::clone(tally));
    }

    /// Whether somebody answers for its host.
    pub(crate) fn is_counted(&self) -> bool {
        self.tally.is_some()
    }

    /// The head of the answer is there; `note` leaves lines in the access log at the end.
    pub(crate) fn answered(&mut self, status: StatusCode, note: Option<Note>) {
        self.upload.set_answering(true);
        self.status = status;
        self.first_byte = self.started.elapsed();
        self.note = note.map(Box::new);
    }

    /// So many bytes of the answer are on their way.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    fn exchange(&self) -> Exchange {
        Exchange {
            status: self.status,
            first_byte: self.first_byte,
            whole: self.started.elapsed(),
            received: self.upload.received(),
            sent: self.sent,
        }
    }
}

impl Note {
    fn leave(&self, exchange: &Exchange, tally: Option<&Tally>) {
        let (head, client) = (&self.head, self.client.to_string());
        let field = |name: HeaderName| field(&head.headers, &name);
        let target = head.uri.path_and_query().map_or("", |target| target.as_str());
        let line = Line {
            at: OffsetDateTime::now_utc(),
            client: client.as_bytes(),
            authorization: field(AUTHORIZATION),
            method: head.method.as_str().as_bytes(),
            target: target.as_bytes(),
            version: head.version,
            exchange,
            referer: field(REFERER),
            agent: field(USER_AGENT),
            host: field(HOST),
            app: tally.and_then(|tally| tally.app.as_ref()),
            release: tally.and_then(|tally| tally.release),
            endpoint: self.endpoint,
            request_id: self.request_id.as_bytes(),
            tls: self.tls,
        };
        self.log.note(self.wanted, &line);
    }
}

fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a [u8] {
    headers.get(name).map_or(b"", HeaderValue::as_bytes)
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.upload.set_answering(false);
        let exchange = self.exchange();
        if let Some(tally) = &self.tally {
            tally.record(&exchange);
        }
        if let Some(note) = &self.note {
            note.leave(&exchange, self.tally.as_deref());
        }
    }
}
