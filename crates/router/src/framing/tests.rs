use super::*;

/// Feeds `text` whole, byte by byte and in threes: the fault must be the same.
fn check(text: &str, expected: Option<(u64, Fault)>) {
    for size in [text.len(), 1, 3] {
        let mut framing = Framing::default();
        text.as_bytes().chunks(size).for_each(|bytes| framing.feed(bytes));
        let bare = framing.bare_from().map(|number| (number, Fault::BareLineFeed));
        assert_eq!(framing.fault().or(bare), expected, "{text:?} in pieces of {size}");
    }
}

#[test]
fn plain_requests_follow_each_other() {
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None);
    check("POST / HTTP/1.1\r\nhost:a\r\nContent-Length: 5\r\n\r\nGET \nGET / HTTP/1.0\r\n\r\n", None);
    check("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None);
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n\n\n\n\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        None,
    );
}

#[test]
fn http_2_is_known_by_its_first_line_and_not_judged() {
    let mut framing = Framing::default();
    framing.feed(b"PRI * HT");
    assert!(!framing.is_http_2());
    framing.feed(b"TP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\n\n");
    assert!(framing.is_http_2() && !framing.is_in_head());
    assert_eq!((framing.fault(), framing.bare_from()), (None, None));
    let late = "GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\n";
    check(late, Some((2, Fault::NoHost)));
    let mut framing = Framing::http_1();
    framing.feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(!framing.is_http_2());
    assert_eq!(framing.fault(), Some((1, Fault::NoHost)));
}

#[test]
fn lengths_that_can_be_read_in_two_ways_are_found() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\n";
    for (fields, fault) in [
        ("Content-Length: 2\r\nTransfer-Encoding: chunked", Fault::LengthAndEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2", Fault::LengthAndEncoding),
        ("Content-Length: 2\r\nContent-Length: 3", Fault::RepeatedLength),
        ("Content-Length: 2\r\nContent-Length: 2", Fault::RepeatedLength),
        ("Content-Length: 2, 2", Fault::BadLength),
        ("Content-Length: +2", Fault::BadLength),
        ("Content-Length:", Fault::BadLength),
        ("Content-Length: 99999999999999999999", Fault::BadLength),
        ("Content-Length : 2", Fault::NotAField),
        ("Transfer-Encoding: identity, chunked", Fault::UnknownCoding),
        ("Transfer-Encoding: chunked, gzip, chunked", Fault::BadEncoding),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", Fault::BadEncoding),
        ("Transfer-Encoding: xchunked", Fault::BadEncoding),
        ("Transfer-Encoding : chunked", Fault::NotAField),
        ("A: b\r\n c", Fault::FoldedField),
        ("no colon", Fault::NotAField),
        ("Host: b", Fault::RepeatedHost),
    ] {
        check(&format!("{head}{fields}\r\n\r\n"), Some((1, fault)));
    }
}

#[test]
fn every_request_of_a_connection_is_judged() {
    let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    check(&format!("{good}{good}GET / HTTP/1.1\r\n\r\n"), Some((3, Fault::NoHost)));
    check(&format!("{good}GET / HTTP/1.1\nHost: a\n\n"), Some((2, Fault::BareLineFeed)));
    check("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Some((1, Fault::BadEncoding)));
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        Some((1, Fault::BadChunk)),
    );
}

#[test]
fn long_lines_are_judged_too() {
    let long = "x".repeat(9_000);
    check(&format!("GET /{long} HTTP/1.0\r\nCookie: {long}\r\n\r\n"), None);
    check(&format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {long}\n\r\n"), Some((1, Fault::BareLineFeed)));
    let length = format!("Content-Length: {}", "0".repeat(300));
    check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{length}x\r\n\r\n"), Some((1, Fault::BadLength)));
}

#[test]
fn a_head_that_has_begun_is_noticed() {
    let mut framing = Framing::default();
    assert!(!framing.is_in_head());
    framing.feed(b"G");
    assert!(framing.is_in_head());
    framing.feed(b"ET / HTTP/1.1\r\nHost: a\r\n");
    assert!(framing.is_in_head());
    framing.feed(b"\r\n");
    assert!(!framing.is_in_head());
    framing.feed(b"\r\n");
    assert!(framing.is_in_head(), "empty lines before a head are without end");
    framing.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!framing.is_in_head());
}
