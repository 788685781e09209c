//! A common request as its app shall see it.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Cidr;
use crate::circle;
use crate::forwarded::{self, Origin, Peer, Said};
use crate::h1::request::{Kind, Request};
use crate::request_id::RequestId;

/// Writes the head of `request`, which came from `peer`, to `text`: without what ends here, with what the app is told.
pub(crate) fn write(
    text: &mut Vec<u8>,
    request: &Request<'_, '_>,
    peer: &Peer,
    origin: &Origin,
    id: &RequestId,
) {
    put(text, &[request.method.as_bytes(), b" ", request.target.as_bytes(), b" HTTP/1.1\r\n"]);
    let (mut is_started, mut is_forwarded) = (false, false);
    for (kind, field) in request.fields() {
        let is_kept = match kind {
            Kind::Plain | Kind::Host | Kind::Length | Kind::AcceptEncoding => true,
            Kind::Claim => origin.is_trusted,
            Kind::Forwarded => {
                is_forwarded = origin.is_trusted;
                false
            }
            Kind::Start => {
                is_started |= origin.is_trusted;
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
            put(text, &[field.name.as_bytes(), b": ", field.value, b"\r\n"]);
        }
    }
    // The head of a request over HTTP/1.1 is never empty; that of another one was made from HTTP/2's.
    put(text, &circle::field(if request.head_bytes > 0 { "1.1" } else { "2" }));
    write_origin(text, peer, origin);
    if is_forwarded {
        put(text, &[b"Forwarded: ", forwarded::element(origin).as_bytes(), b"\r\n"]);
    }
    put(text, &[b"X-Request-Id: ", id.as_bytes(), b"\r\n"]);
    if !is_started {
        write_start(text);
    }
    text.extend_from_slice(b"\r\n");
}

/// Where `request`, which came from `peer`, comes from in truth.
pub(crate) fn origin(request: &Request<'_, '_>, peer: &Peer, trusted: &[Cidr]) -> Origin {
    let values = |said| {
        let kind = match said {
            Said::For => Kind::ForwardedFor,
            Said::Proto => Kind::ForwardedProto,
            Said::Forwarded => Kind::Forwarded,
        };
        request.values(kind).filter_map(|value| std::str::from_utf8(value).ok())
    };
    Origin::told(peer, trusted, values)
}

fn write_origin(text: &mut Vec<u8>, peer: &Peer, origin: &Origin) {
    text.extend_from_slice(b"X-Forwarded-For: ");
    match origin.client == peer.address {
        true => text.extend_from_slice(peer.text.as_bytes()),
        // Writing to memory cannot fail.
        false => drop(write!(text, "{}", origin.client)),
    }
    let (scheme, port, ssl) = origin.connection();
    put(text, &[b"\r\nX-Forwarded-Proto: ", scheme.as_bytes(), b"\r\nX-Forwarded-Port: ", port.as_bytes()]);
    put(text, &[b"\r\nX-Forwarded-Ssl: ", ssl.as_bytes(), b"\r\n"]);
}

/// `t=<Unix seconds>.<milliseconds>`, as nginx writes it.
fn write_start(text: &mut Vec<u8>) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let _ = write!(text, "X-Request-Start: t={}.{:03}\r\n", since.as_secs(), since.subsec_millis());
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
        let mut written = Vec::new();
        let id = RequestId::choose(request.values(Kind::Id).next(), true);
        write(&mut written, &request, &peer, &origin, &id);
        let written = String::from_utf8(written).unwrap();
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
}
