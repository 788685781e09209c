//! A common request as its app shall see it.

use std::io::Write;
use std::ops::{Deref, Range};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Cidr;
use crate::circle;
use crate::forwarded::{self, Origin, Peer, Said};
use crate::h1::buffer::Text;
use crate::h1::request::{Kind, Request};
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
        // The head of a request over HTTP/1.1 is never empty; that of another one was made from HTTP/2's.
        put(&mut onward.text, &circle::field(if request.head_bytes > 0 { "1.1" } else { "2" }));
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
                Kind::Plain | Kind::Length | Kind::AcceptEncoding => true,
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
                | Kind::Odd
                | Kind::ForwardedFor
                | Kind::ForwardedProto
                | Kind::Told
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
mod tests {
    use super::*;
    use crate::h1::request::FIELDS;
    use std::mem::MaybeUninit;

    /// Writes a request of `peer` with `fields` and shows what the app would see, but for its id and start.
    fn check(peer: &str, fields: &str, expected: &[&str]) {
        let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
        let text = format!("GET /a?b HTTP/1.1\r\nHost: A.example:80\r\n{fields}\r\n");
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        let request = Request::read(text.as_bytes(), &mut room).unwrap().unwrap();
        let peer = Peer::new(peer.parse().unwrap());
        let origin = origin(&request, &peer, &trusted);
        let id = RequestId::choose(request.values(Kind::Id).next(), true);
        let written = String::from_utf8(Onward::of(&request, &peer, &origin, &id).to_vec()).unwrap();
        let mut lines: Vec<_> = written.strip_suffix("\r\n\r\n").unwrap().split("\r\n").collect();
        let own =
            |line: &&str| !(line.starts_with("X-Request-Start: t=1") || line.starts_with("X-Request-Id: "));
        lines.retain(own);
        assert_eq!(lines, [&["GET /a?b HTTP/1.1", "Host: A.example:80"], expected].concat());
    }

    #[test]
    fn what_concerns_the_connection_ends_here() {
        let told = [
            "Via: 1.1 deis",
            "X-Forwarded-For: 203.0.113.9",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Port: 80",
            "X-Forwarded-Ssl: off",
        ];
        check("203.0.113.9", "Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\n", &told);
        let made_up =
            "X-Forwarded-For: 1.2.3.4\r\nx_forwarded-FOR: 1\r\nForwarded: x\r\nX-Request-Start: t=3\r\n";
        check("203.0.113.9", made_up, &told);
        check(
            "203.0.113.9",
            "A:  b \r\nContent-Length: 2\r\n",
            &[&["A: b", "Content-Length: 2"], &told[..]].concat(),
        );
    }

    #[test]
    fn a_trusted_peer_is_believed() {
        let fields =
            "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-For: 10.2.2.2\r\nX-Forwarded-Proto: https\r\n";
        let told = [
            "Via: 1.1 deis",
            "X-Forwarded-For: 1.2.3.4",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Port: 443",
            "X-Forwarded-Ssl: on",
        ];
        check("10.1.1.1", fields, &told);
        let with_start = format!("{fields}X-Request-Start: t=3\r\nForwarded: for=x\r\n");
        check(
            "10.1.1.1",
            &with_start,
            &[&["X-Request-Start: t=3"], &told[..], &["Forwarded: for=1.2.3.4;proto=https"]].concat(),
        );
    }

    #[test]
    fn what_logs_tell_is_marked() {
        let text = "PUT /a?b HTTP/1.1\r\nUser-Agent: one\r\nHost: a.example\r\nuser-agent: two\r\nReferer: r\r\nX-Request-Id: i-1\r\n\r\n";
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        let request = Request::read(text.as_bytes(), &mut room).unwrap().unwrap();
        let peer = Peer::new("203.0.113.9".parse().unwrap());
        let id = RequestId::choose(request.values(Kind::Id).next(), true);
        let onward = Onward::of(&request, &peer, &origin(&request, &peer, &[]), &id);
        let check = |mark: fn(&Marks) -> &Range<usize>, expected: &str| {
            assert_eq!(std::str::from_utf8(onward.marked(mark)).unwrap(), expected);
        };
        check(|marks| &marks.method, "PUT");
        check(|marks| &marks.target, "/a?b");
        check(|marks| &marks.host, "a.example");
        check(|marks| &marks.agent, "one");
        check(|marks| &marks.referer, "r");
        check(|marks| &marks.authorization, "");
        check(|marks| &marks.client, "203.0.113.9");
        check(|marks| &marks.id, "i-1");
    }
}
