//! Requests' heads: a common one is the same to every reader, and both ways tell the app the same.

use std::mem::MaybeUninit;

use http::Version;
use http::header::{EXPECT, HeaderMap, HeaderName, HeaderValue};

use crate::Cidr;
use crate::circle;
use crate::forwarded::{self, Origin, Peer};
use crate::fuzzing::framing;
use crate::fuzzing::library;
use crate::fuzzing::naive::Head;
use crate::h1::kind::Kind;
use crate::h1::onward::{self, Onward};
use crate::h1::request::{FIELDS, Odd, Request};
use crate::hop;
use crate::request_id::{self, RequestId};

/// The longest body that is looked for.
const LONGEST_BODY: u64 = 4096;

/// A body in chunks, of two bytes.
const CHUNKS: &[u8] = b"2\r\n\n\n\r\n0\r\n\r\n";

/// The first request in `bytes` must be one request to all.
pub(crate) fn check(bytes: &[u8]) {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let Ok(Some(request)) = Request::read(bytes, &mut room) else { return };
    let head = Head::read(bytes).expect("a common request is a plain one");
    assert_eq!((request.method, request.target), (head.method, head.target));
    assert_eq!(request.head_bytes, head.head_bytes);
    assert_eq!(length(&request), head.body_bytes());
    assert_eq!((head.values("host").len(), request.is_chunked), (1, is_chunked(&head)));
    for length in [1, head.head_bytes / 2, head.head_bytes - 1] {
        assert_eq!(read(&bytes[..length]), Ok(None), "{length} bytes");
    }
    assert_eq!(read(&bytes[..head.head_bytes]), Ok(Some((request.head_bytes, request.body_bytes))));
    if request.body_bytes < LONGEST_BODY {
        check_end(&bytes[..head.head_bytes], &request);
    }
    for peer in ["203.0.113.9", "10.1.1.1"] {
        check_onward(&request, &head, &Peer::new(peer.parse().expect("it is an address")));
    }
}

/// None if its body is in chunks.
fn length(request: &Request<'_, '_>) -> Option<u64> {
    (!request.is_chunked).then_some(request.body_bytes)
}

fn is_chunked(head: &Head<'_>) -> bool {
    let codings = head.values("transfer-encoding");
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    codings.len() == 1 && codings.iter().all(is_chunked) && head.values("content-length").is_empty()
}

fn read(bytes: &[u8]) -> Result<Option<(usize, u64)>, Odd> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let request = Request::read(bytes, &mut room)?;
    Ok(request.map(|request| (request.head_bytes, request.body_bytes)))
}

/// With a body of its length it ends where the library, and whoever watches that, see its end.
fn check_end(head: &[u8], request: &Request<'_, '_>) {
    let length = usize::try_from(request.body_bytes).expect("it is short");
    let body = if request.is_chunked { CHUNKS.to_vec() } else { vec![b'\n'; length] };
    let whole = [head, &body].concat();
    assert!(framing::ends_with(&whole));
    let followed = [&whole, &b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"[..]].concat();
    let seen = library::requests(&followed);
    let Some(first) = seen.first() else { return };
    assert_eq!((first.method.as_str(), first.path.as_str()), (request.method, request.target));
    assert_eq!(first.body_bytes, Some(if request.is_chunked { 2 } else { request.body_bytes }));
    assert_eq!(seen.get(1).map(|next| next.path.as_str()), request.keeps_alive.then_some("/next"));
}

/// What the app is told is one request of the same length, and what the other way tells it.
fn check_onward(request: &Request<'_, '_>, head: &Head<'_>, peer: &Peer) {
    let trusted: [Cidr; 1] = ["10.0.0.0/8".parse().expect("it is a range")];
    let origin = onward::origin(request, peer, &trusted);
    let id = RequestId::choose(request.values(Kind::Id).next(), origin.is_trusted);
    let text = Onward::of(request, peer, &origin, &id);
    let onward = Head::read(&text).expect("what is passed on is a plain request");
    assert_eq!((onward.method, onward.target), (request.method, request.target));
    assert_eq!((onward.body_bytes(), onward.head_bytes), (length(request), text.len()));
    assert_eq!(is_chunked(&onward), request.is_chunked);
    let mut headers = HeaderMap::new();
    for (name, value) in &head.fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("names are tokens");
        headers.append(name, HeaderValue::from_bytes(value).expect("values are plain"));
    }
    assert_eq!(Origin::of(&headers, peer, &trusted), origin);
    request_id::ensure(&mut headers, origin.is_trusted);
    hop::strip_request(&mut headers);
    headers.remove(EXPECT);
    forwarded::apply(&mut headers, peer, &origin, true);
    circle::note(&mut headers, Version::HTTP_11);
    let theirs = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes()));
    assert_eq!(sorted(onward.fields.iter().cloned()), sorted(theirs));
}

/// In the order of their names, without what differs each time.
fn sorted<'a>(fields: impl Iterator<Item = (String, &'a [u8])>) -> Vec<(String, String)> {
    let differs = |name: &str| name == "x-request-id" || name == "x-request-start";
    let show = |(name, value): (String, &[u8])| (name, value.escape_ascii().to_string());
    let mut fields: Vec<_> = fields.filter(|(name, _)| !differs(name)).map(show).collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}
