//! A common request that somebody common asks of an app that wants nothing special.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, HeaderMap, HeaderValue};

use crate::compress::{Asked, Encoders};
use crate::course::{Boarding, Course};
use crate::forwarded::Peer;
use crate::h1::coding::{Terms, visible};
use crate::h1::kind::Kind;
use crate::h1::onward::{self, Onward};
use crate::h1::request::{Request, values};
use crate::host::Host;
use crate::request_id::RequestId;
use crate::rules::Gate;
use crate::shared::Shared;
use crate::tls::Secured;

/// A common request, ready to be sent on.
pub(crate) struct Ask {
    /// The service.
    pub(crate) host: Host,
    /// The head as the app shall see it.
    pub(crate) onward: Onward,
    /// The length of the head as it came.
    pub(crate) head_bytes: usize,
    /// The length of the body, which follows it; 0 if that is in chunks.
    pub(crate) body_bytes: usize,
    /// Whether the body is in chunks.
    pub(crate) is_chunked: bool,
    /// Whether the client waits to hear that the body is wanted.
    pub(crate) is_awaited: bool,
    /// The most that the body may have. Known once it has a place.
    pub(crate) most_bytes: u64,
    /// Whether it asks for a head only.
    pub(crate) is_head: bool,
    /// Whether sending it twice is the same as once.
    pub(crate) is_idempotent: bool,
    /// Whether the client wants to send more on the same connection.
    pub(crate) keeps_alive: bool,
    /// Whether the client understands any compression.
    takes_compressed: bool,
    /// By whose rules the answer may be compressed; none if it is not.
    gate: Option<Arc<Gate>>,
    /// How long nothing of its answer may come, or be taken. Known once it has a place.
    pub(crate) idle: Duration,
    /// Its name.
    pub(crate) id: RequestId,
}

impl Ask {
    /// `request` as it is sent on for `peer`, which set up TLS as `secured` says; none if it is common in its form only.
    pub(crate) fn of(
        shared: &Shared,
        peer: &Peer,
        secured: Option<&Secured>,
        request: &Request<'_, '_>,
    ) -> Option<Self> {
        let is_allowed = request.head_bytes <= shared.config.limits.head_bytes;
        let table = shared.table.load();
        let is_misdirected = secured.is_some_and(|secured| secured.is_misdirected(&table, &request.host));
        if !is_allowed || is_misdirected || is_reserved(request.target) {
            return None;
        }
        let origin = onward::origin(request, peer, table.mesh.believed());
        let id = RequestId::choose(request.values(Kind::Id).next(), origin.is_trusted);
        let onward = Onward::of(request, peer, &origin, &id);
        Some(Self {
            host: request.host,
            onward,
            head_bytes: request.head_bytes,
            body_bytes: usize::try_from(request.body_bytes).ok()?,
            is_chunked: request.is_chunked,
            is_awaited: request.is_awaited,
            most_bytes: 0,
            is_head: request.is_head(),
            is_idempotent: request.is_idempotent(),
            keeps_alive: request.keeps_alive,
            takes_compressed: request.values(Kind::AcceptEncoding).next().is_some(),
            gate: None,
            idle: table.mesh.clients.idle,
            id,
        })
    }

    /// What a page has to know of its fields.
    pub(crate) fn accept(&self) -> HeaderMap {
        let accept = values(&self.onward, "accept").next();
        let accept = accept.and_then(|value| HeaderValue::from_bytes(value).ok());
        accept.into_iter().map(|value| (ACCEPT, value)).collect()
    }

    /// A place at an app that wants nothing special; none if the request is for the other way.
    pub(crate) fn first_place(&mut self, course: &mut Course<'_>, shared: &Shared) -> Option<Boarding> {
        let table = shared.table.load();
        let service = table.find(self.host.as_str())?;
        let rules = &service.rules;
        let may_be_compressed = self.takes_compressed && !rules.compression.encodings.is_empty();
        let most_bytes = rules.body_bytes.unwrap_or(u64::MAX);
        let is_too_long = self.body_bytes as u64 > most_bytes;
        let is_odd = service.endpoints.is_empty() || !service.is_plain() || is_too_long;
        if is_odd {
            return None;
        }
        (self.idle, self.most_bytes) = (rules.timeouts.idle, most_bytes);
        self.gate = may_be_compressed.then(|| Arc::clone(&service.gate));
        Some(course.place_at(service))
    }

    /// By what its answer may be compressed; none if it may not.
    pub(crate) fn terms<'a>(&'a self, encoders: &'a Encoders) -> Option<Terms<'a>> {
        let gate = self.gate.as_ref()?;
        Some(Terms { rules: &gate.rules.compression, ask: self, encoders })
    }

    /// What of it decides whether its answer is compressed.
    pub(crate) fn asked(&self) -> Asked {
        let lines: Vec<_> = values(&self.onward, "accept-encoding").filter_map(visible).collect();
        // One tells of this router.
        let is_proxied = values(&self.onward, "via").nth(1).is_some();
        Asked { accept: lines.join(","), is_head: self.is_head, is_http10: false, is_proxied }
    }
}

/// Whether a path may be the router's own to answer, whichever the app: certificate authorities ask there.
fn is_reserved(target: &str) -> bool {
    target.starts_with("/.well-known/")
}
