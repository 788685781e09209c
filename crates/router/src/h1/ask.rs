//! A common request that somebody common asks of an app that wants nothing special.

use http::header::{ACCEPT, HeaderMap, HeaderValue};

use crate::course::{Boarding, Course};
use crate::forwarded::Peer;
use crate::h1::buffer::Text;
use crate::h1::onward;
use crate::h1::request::{Kind, Request, first_value};
use crate::host::Host;
use crate::request_id::RequestId;
use crate::shared::Shared;

/// A common request, ready to be sent on.
pub(crate) struct Ask {
    /// The service.
    pub(crate) host: Host,
    /// The head as the app shall see it.
    pub(crate) onward: Text,
    /// The length of the head as it came.
    pub(crate) head_bytes: usize,
    /// The length of the body, which follows it.
    pub(crate) body_bytes: usize,
    /// Whether it asks for a head only.
    pub(crate) is_head: bool,
    /// Whether sending it twice is the same as once.
    pub(crate) is_idempotent: bool,
    /// Whether the client wants to send more on the same connection.
    pub(crate) keeps_alive: bool,
    /// Whether the client understands any compression.
    takes_compressed: bool,
    /// Its name.
    pub(crate) id: RequestId,
}

impl Ask {
    /// `request` as it is sent on for `peer`, who named the host `secured_for` when it set up TLS; none if it is common in
    /// its form only.
    pub(crate) fn of(
        shared: &Shared,
        peer: &Peer,
        secured_for: Option<&Host>,
        request: &Request<'_, '_>,
    ) -> Option<Self> {
        let limits = &shared.config.limits;
        let is_allowed = request.head_bytes <= limits.head_bytes && request.body_bytes <= limits.body_bytes;
        let is_at_home = secured_for.is_none_or(|host| host.as_str() == request.host.as_str());
        if !is_allowed || !is_at_home || is_reserved(request.target) {
            return None;
        }
        let origin = onward::origin(request, peer, &shared.table.load().mesh.trusted);
        let id = RequestId::choose(request.values(Kind::Id).next(), origin.is_trusted);
        let mut onward = Text::new();
        onward::write(&mut onward, request, peer, &origin, &id);
        Some(Self {
            host: request.host,
            onward,
            head_bytes: request.head_bytes,
            body_bytes: usize::try_from(request.body_bytes).ok()?,
            is_head: request.is_head(),
            is_idempotent: request.is_idempotent(),
            keeps_alive: request.keeps_alive,
            takes_compressed: request.values(Kind::AcceptEncoding).next().is_some(),
            id,
        })
    }

    /// What a page has to know of its fields.
    pub(crate) fn accept(&self) -> HeaderMap {
        let accept =
            first_value(&self.onward, "accept").and_then(|value| HeaderValue::from_bytes(value).ok());
        accept.into_iter().map(|value| (ACCEPT, value)).collect()
    }

    /// A place at an app that wants nothing special; none if the request is for the other way.
    pub(crate) fn first_place(&self, course: &mut Course<'_>, shared: &Shared) -> Option<Boarding> {
        let table = shared.table.load();
        let service = table.find(self.host.as_str())?;
        let rules = &service.rules;
        let may_be_compressed = self.takes_compressed && !rules.compression.encodings.is_empty();
        let is_too_long = rules.body_bytes.is_some_and(|longest| self.body_bytes as u64 > longest);
        if service.endpoints.is_empty() || !service.is_plain() || may_be_compressed || is_too_long {
            return None;
        }
        Some(course.place_at(service))
    }
}

/// Whether a path may be the router's own to answer, whichever the app: certificate authorities ask there.
fn is_reserved(target: &str) -> bool {
    target.starts_with("/.well-known/")
}
