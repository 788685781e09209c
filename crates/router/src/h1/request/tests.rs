//! What is common and what is not.

use super::*;
use crate::framing::Framing;

fn judge(text: &[u8]) -> &'static str {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    match Request::read(text, &mut room) {
        Ok(None) => "partial",
        Err(Odd) => "odd",
        Ok(Some(_)) => "plain",
    }
}

#[track_caller]
fn check(fields: &str, expected: &str) {
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    assert_eq!(judge(text.as_bytes()), expected, "{fields:?}");
}

#[test]
fn common_requests_are_plain() {
    check("Accept: */*", "plain");
    check("Content-Length: 12", "plain");
    check("Transfer-Encoding: Chunked", "plain");
    check("Content-Length: 12\r\nExpect: 100-Continue", "plain");
    check("connection: Keep-Alive", "plain");
    check("Connection: close", "plain");
    check("Cookie: a=b; c=\"d\"\r\nX-Forwarded-For: 1.2.3.4\r\nUpgrade-Insecure-Requests: 1", "plain");
    check("X: \t padded \t ", "plain");
    check("Empty:", "plain");
    check("Latin: caf\u{e9}", "plain");
    check("Via: 1.1 0af7.cloudfront.net (CloudFront)\r\nVia: 1.1 deis", "plain");
}

#[test]
fn one_that_goes_in_a_circle_is_odd() {
    let step = "Via: 1.1 deis, 1.1 deis, 2 deis, 1.0 deis, 1.1 deis";
    check(step, "plain");
    check(&format!("{step}\r\n{step}"), "odd");
}

#[test]
fn whatever_concerns_the_connection_or_the_body_s_end_is_odd() {
    for fields in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2, 2",
        "Content-Length: +2",
        "Content-Length: -2",
        "Content-Length: 0x2",
        "Content-Length: 2 3",
        "Content-Length:",
        "Content-Length: 9999999999999999999",
        "Content-Length : 2",
        "Host: a",
        "Host: b",
        "Connection: upgrade",
        "Connection: keep-alive, X-Mine",
        "Connection: close\r\nConnection: keep-alive",
        "Connection:",
        "Upgrade: websocket",
        "Expect: 100-continue\r\nExpect: 100-continue",
        "Expect: tea",
        "Transfer-Encoding: chunked\r\nTrailer: Etag",
        "TE: trailers",
        "Trailer: Etag",
        "HTTP2-Settings: x",
    ] {
        check(fields, "odd");
    }
}

#[test]
fn heads_that_could_be_read_in_two_ways_are_odd() {
    for fields in [
        "A: b\r\n c",
        "A: b\r\n\tc",
        "no colon",
        ": no name",
        "a b: c",
        "A: b\nC: d",
        "A: b\rC: d",
        "A: b\0",
        "A: b\x07",
        "A: b\x7f",
        "A\u{e9}: b",
        "A: b\n",
    ] {
        check(fields, "odd");
    }
    for text in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(judge(text.as_bytes()), "odd", "{text:?}");
    }
}

#[test]
fn only_common_lines_hosts_and_paths_are_plain() {
    for (text, expected) in [
        ("GET /a/b?c=d%20&e[]=1 HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("GET /a/b?c=d%20&e=(1) HTTP/1.1\r\nHost: a:8080\r\n\r\n", "plain"),
        ("PATCH /x HTTP/1.1\r\nHost: [::1]\r\n\r\n", "plain"),
        ("GET / HTTP/1.1\r\n\r\n", "odd"),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "odd"),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", "odd"),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "odd"),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "odd"),
        ("GET / HTTP/1.11\r\nHost: a\r\n\r\n", "odd"),
        ("GET /\r\n\r\n", "odd"),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("GET //a/ HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("GET /<x> HTTP/1.1\r\nHost: a\r\n\r\n", "odd"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "odd"),
        ("\u{16}\u{3}\u{1}", "odd"),
    ] {
        assert_eq!(judge(text.as_bytes()), expected, "{text:?}");
    }
    let many = "A: b\r\n".repeat(FIELDS + 1);
    check(many.trim_end(), "odd");
}

#[test]
fn every_beginning_of_a_common_request_is_partial() {
    let text = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(judge(&text[..end]), "partial", "{:?}", String::from_utf8_lossy(&text[..end]));
    }
}

/// Pieces that requests are made of, good and bad.
const PIECES: [&str; 40] = [
    "GET",
    "POST",
    "HEAD",
    " ",
    "  ",
    "/",
    "/a?b=c",
    "*",
    "HTTP/1.1",
    "HTTP/1.0",
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\n\n",
    "\t",
    ":",
    ": ",
    " : ",
    "Host",
    "a",
    "a.b",
    "Content-Length",
    "2",
    "+2",
    "2, 2",
    "",
    "Transfer-Encoding",
    "chunked",
    "identity",
    "Connection",
    "close",
    "keep-alive",
    "Upgrade",
    "X-Forwarded-For",
    "1.2.3.4",
    "\0",
    "\u{e9}",
    ",",
    ";",
];

/// Whatever is taken for plain must be sound to the reader that judges all other requests, and end at the same byte.
fn agree(text: &[u8]) -> bool {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let Ok(Some(request)) = Request::read(text, &mut room) else { return false };
    let (head, body) = (request.head_bytes, request.body_bytes);
    let shown = String::from_utf8_lossy(text);
    let mut framing = Framing::default();
    framing.feed(&text[..head - 1]);
    assert!(framing.is_in_head(), "{shown:?}");
    framing.feed(&text[head - 1..head]);
    assert_eq!(framing.fault(), None, "{shown:?}");
    assert!(!framing.is_in_head(), "{shown:?}");
    let after = match request.is_chunked {
        true => b"2\r\nab\r\n0\r\n\r\n".to_vec(),
        false => vec![b'x'; usize::try_from(body.min(10_000)).unwrap()],
    };
    framing.feed(&after);
    assert!(!framing.is_in_head() || body > 10_000, "{shown:?}");
    if body <= 10_000 {
        framing.feed(b"G");
        assert!(framing.is_in_head(), "{shown:?}");
    }
    true
}

#[test]
fn what_is_plain_is_sound_to_the_other_reader_too() {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    let mut random = StdRng::seed_from_u64(7);
    let mut plain = 0;
    for _ in 0..60_000 {
        let mut text = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
        if random.random_bool(0.1) {
            text.clear();
        }
        for _ in 0..random.random_range(0..12) {
            text.push_str(PIECES[random.random_range(0..PIECES.len())]);
        }
        text.push_str("\r\n\r\n");
        let mut bytes = text.into_bytes();
        for _ in 0..random.random_range(0..3) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        plain += usize::from(agree(&bytes));
    }
    assert!(plain > 1_000, "only {plain} of them were plain");
}
