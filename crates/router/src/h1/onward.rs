//! A common request as its app shall see it.

use std::io::Write;
use std::ops::{Deref, Range};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Cidr;
use crate::circle;
use crate::forwarded::{self, Origin, Peer, Said};
use crate::h1::buffer::Text;
use crate::h1::kind::Kind;
use crate::h1::request::Request;
use crate::request_id::RequestId;

/// The head of a common request as its app shall see it.
#[derive(Default)]
pub(crate) struct Onward {
    text: Text,
    marks: Marks,
}

/// Where in a head stands what logs tell of a request; nowhere if it does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// The method.
    pub(crate) method: Range<usize>,
    /// Path and query.
    pub(crate) target: Range<usize>,
    /// `Host`.
    pub(crate) host: Range<usize>,
    /// `Referer`.
    pub(crate) referer: Range<usize>,
    /// `User-Agent`.
    pub(crate) agent: Range<usize>,
    /// `Authorization`.
    pub(crate) authorization: Range<usize>,
    /// The client's address.
    pub(crate) client: Range<usize>,
    /// The request's name.
    pub(crate) id: Range<usize>,
}

impl Onward {
    /// The head of `request`, which came from `peer`: without what ends here, with what the app is told.
    pub(crate) fn of(request: &Request<'_, '_>, peer: &Peer, origin: &Origin, id: &RequestId) -> Self {
        let mut onward = Self { text: Text::new(), marks: Marks::default() };
        onward.write_line(request);
        let Told { is_started, is_forwarded } = onward.write_fields(request, origin);
        put(&mut onward.text, &circle::field(request.version));
        onward.write_origin(peer, origin);
        let text = &mut onward.text;
        if is_forwarded {
            put(text, &[b"Forwarded: ", forwarded::element(origin).as_bytes(), b"\r\n"]);
        }
        onward.marks.id = put_field(text, b"X-Request-Id", id.as_bytes());
        if !is_started {
            write_start(text);
        }
        text.extend_from_slice(b"\r\n");
        onward
    }

    /// What is marked by `mark`.
    pub(crate) fn marked(&self, mark: impl FnOnce(&Marks) -> &Range<usize>) -> &[u8] {
        &self.text[mark(&self.marks).clone()]
    }

    fn write_line(&mut self, request: &Request<'_, '_>) {
        let (method, target) = (request.method.as_bytes(), request.target.as_bytes());
        put(&mut self.text, &[method, b" ", target, b" HTTP/1.1\r\n"]);
        self.marks.method = 0..method.len();
        self.marks.target = method.len() + 1..method.len() + 1 + target.len();
    }

    fn write_fields(&mut self, request: &Request<'_, '_>, origin: &Origin) -> Told {
        let mut told = Told { is_started: false, is_forwarded: false };
        for (kind, field) in request.fields() {
            let is_kept = match kind {
                Kind::Plain | Kind::Length | Kind::Encoding | Kind::AcceptEncoding | Kind::Via => true,
                Kind::Host | Kind::Referer | Kind::Agent | Kind::Authorization => true,
                Kind::Claim => origin.is_trusted,
                Kind::Forwarded => {
                    told.is_forwarded = origin.is_trusted;
                    false
                }
                Kind::Start => {
                    told.is_started |= origin.is_trusted;
                    origin.is_trusted
                }
                Kind::Connection
                | Kind::Hop
                | Kind::Expect
                | Kind::Odd
                | Kind::ForwardedFor
                | Kind::ForwardedProto
                | Kind::Told
                | Kind::Deceptive
                | Kind::Id => false,
            };
            if is_kept {
                let place = put_field(&mut self.text, field.name.as_bytes(), field.value);
                // Of several of a name the first counts.
                if let Some(mark) = self.marks.of(kind).filter(|mark| mark.end == 0) {
                    *mark = place;
                }
            }
        }
        told
    }

    fn write_origin(&mut self, peer: &Peer, origin: &Origin) {
        let text = &mut self.text;
        text.extend_from_slice(b"X-Forwarded-For: ");
        let start = text.len();
        match origin.client == peer.address {
            true => text.extend_from_slice(peer.text.as_bytes()),
            // Writing to memory cannot fail.
            false => drop(write!(text, "{}", origin.client)),
        }
        self.marks.client = start..text.len();
        let (scheme, port, ssl) = origin.connection();
        put(text, &[b"\r\nX-Forwarded-Proto: ", scheme.as_bytes()]);
        put(text, &[b"\r\nX-Forwarded-Port: ", port.as_bytes()]);
        put(text, &[b"\r\nX-Forwarded-Ssl: ", ssl.as_bytes(), b"\r\n"]);
    }
}

/// What a trusted peer has told already.
struct Told {
    is_started: bool,
    is_forwarded: bool,
}

impl Marks {
    /// The mark of a field of this kind; none if logs do not tell of it.
    fn of(&mut self, kind: Kind) -> Option<&mut Range<usize>> {
        match kind {
            Kind::Host => Some(&mut self.host),
            Kind::Referer => Some(&mut self.referer),
            Kind::Agent => Some(&mut self.agent),
            Kind::Authorization => Some(&mut self.authorization),
            _ => None,
        }
    }
}

impl Deref for Onward {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text
    }
}

/// Where `request`, which came from `peer`, comes from in truth.
pub(crate) fn origin(request: &Request<'_, '_>, peer: &Peer, trusted: &[Cidr]) -> Origin {
    let values = |said| {
        let kind = match said {
            Said::For => Kind::ForwardedFor,
            Said::Proto => Kind::ForwardedProto,
            Said::Forwarded => Kind::Forwarded,
        };
        request.values(kind).map(forwarded::legible)
    };
    Origin::told(peer, trusted, values)
}

/// `t=<Unix seconds>.<milliseconds>`, as nginx writes it.
fn write_start(text: &mut Vec<u8>) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let _ = write!(text, "X-Request-Start: t={}.{:03}\r\n", since.as_secs(), since.subsec_millis());
}

/// Where the value stands.
fn put_field(text: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Range<usize> {
    let start = text.len() + name.len() + 2;
    put(text, &[name, b": ", value, b"\r\n"]);
    start..start + value.len()
}

fn put(text: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| text.extend_from_slice(part));
}

#[cfg(test)]
mod tests;
