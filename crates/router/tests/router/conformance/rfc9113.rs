//! RFC 9113, HTTP/2: heads and frames that are none, besides those of the tests of HTTP/2 itself.

use super::{Got, Stage};
use crate::support::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, fields,
};

/// A list of fields.
type Fields = &'static [(&'static str, &'static [u8])];

const METHOD: (&str, &[u8]) = (":method", b"GET");
const SCHEME: (&str, &[u8]) = (":scheme", b"http");
const PATH: (&str, &[u8]) = (":path", b"/in");
const AUTHORITY: (&str, &[u8]) = (":authority", b"blog.example.com");
const ALL: Fields = &[METHOD, SCHEME, PATH, AUTHORITY];

/// How a stream or its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a status of 200.
    Answer,
    /// With another one.
    Refusal,
    /// Without any.
    Reset,
}

async fn end(frames: &mut Frames) -> End {
    while let Some(frame) = frames.next().await {
        match frame.kind {
            // 200 is number 8 of the table that every connection begins with. Source: RFC 7541 appendix A.
            HEADERS if frame.payload[0] == 0x88 => return End::Answer,
            HEADERS => return End::Refusal,
            RST_STREAM | GOAWAY => return End::Reset,
            _ => {}
        }
    }
    End::Reset
}

/// What the app got besides a last request that shows that all others have come.
async fn got(stage: &Stage) -> Vec<Got> {
    assert_eq!(stage.scene.get("blog", "/probe").await.status, 200);
    let mut got = stage.take();
    assert_eq!(got.pop().map(|got| got.line).as_deref(), Some("GET /probe HTTP/1.1"));
    got
}

#[tokio::test]
async fn heads_that_are_malformed_reach_no_app() {
    let stage = Stage::new().await;
    let cases: [(&str, Fields); 15] = [
        ("8.3.1: no method", &[SCHEME, PATH, AUTHORITY]),
        ("8.3.1: no scheme", &[METHOD, PATH, AUTHORITY]),
        ("8.3.1: no path", &[METHOD, SCHEME, AUTHORITY]),
        ("8.3.1: no authority and no host", &[METHOD, SCHEME, PATH]),
        ("8.3: two methods", &[METHOD, METHOD, SCHEME, PATH, AUTHORITY]),
        ("8.3: two schemes", &[METHOD, SCHEME, SCHEME, PATH, AUTHORITY]),
        ("8.3: two paths", &[METHOD, SCHEME, PATH, PATH, AUTHORITY]),
        ("8.3: two authorities", &[METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY]),
        ("8.3: one behind a field", &[METHOD, SCHEME, PATH, ("x-a", b"b"), AUTHORITY]),
        ("8.3.1: a path without a slash", &[METHOD, SCHEME, (":path", b"in"), AUTHORITY]),
        ("8.3.1: an asterisk without OPTIONS", &[METHOD, SCHEME, (":path", b"*"), AUTHORITY]),
        ("8.3.1: two hosts", &[METHOD, SCHEME, PATH, ("host", b"blog.example.com"), ("host", b"b")]),
        ("8.2.2: a list with trailers", &[METHOD, SCHEME, PATH, AUTHORITY, ("te", b"trailers, gzip")]),
        ("8.5: CONNECT with a path", &[(":method", b"CONNECT"), SCHEME, PATH, AUTHORITY]),
        ("8.5: CONNECT", &[(":method", b"CONNECT"), AUTHORITY]),
    ];
    for (name, head) in cases {
        let mut frames = Frames::connect(stage.scene.addresses.http).await;
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(head)).await;
        assert_ne!(end(&mut frames).await, End::Answer, "{name}");
        let got = got(&stage).await;
        assert!(got.is_empty(), "{name}: {got:?}");
    }
}

#[tokio::test]
async fn heads_that_are_good_reach_the_app_as_http_1() {
    let stage = Stage::new().await;
    let cases: [(&str, Fields, &str); 5] = [
        // It is malformed by rights; the library cuts it off before anybody sees it.
        ("8.3.1: a fragment", &[METHOD, SCHEME, (":path", b"/in#part"), AUTHORITY], "GET /in HTTP/1.1"),
        ("8.3.1: all of them", ALL, "GET /in HTTP/1.1"),
        (
            "8.3.1: a host in place of an authority",
            &[METHOD, SCHEME, PATH, ("host", b"blog.example.com")],
            "GET /in HTTP/1.1",
        ),
        (
            "8.3.1: the asterisk",
            &[(":method", b"OPTIONS"), SCHEME, (":path", b"*"), AUTHORITY],
            "OPTIONS * HTTP/1.1",
        ),
        (
            "8.3.1: a path as it is",
            &[METHOD, SCHEME, (":path", b"//a/../%2e?"), AUTHORITY],
            "GET //a/../%2e? HTTP/1.1",
        ),
    ];
    for (name, head, line) in cases {
        let mut frames = Frames::connect(stage.scene.addresses.http).await;
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(head)).await;
        assert_eq!(end(&mut frames).await, End::Answer, "{name}");
        let got = got(&stage).await;
        assert_eq!(got.len(), 1, "{name}");
        assert_eq!(got[0].line, line, "{name}");
        assert!(got[0].fields.iter().any(|field| field == "host: blog.example.com"), "{name}: {got:?}");
    }
}

#[tokio::test]
async fn trailers_that_are_malformed_make_no_whole_request() {
    let stage = Stage::new().await;
    let cases: [(&str, Fields, u8); 3] = [
        ("8.2.1: a name in upper case", &[("X-Sum", b"1")], END_STREAM),
        ("8.2.2: a field of the connection", &[("connection", b"close")], END_STREAM),
        ("8.1: they do not end the stream", &[("x-sum", b"1")], 0),
    ];
    for (name, trailers, flag) in cases {
        let mut frames = Frames::connect(stage.scene.addresses.http).await;
        let head = fields(&[(":method", b"POST"), SCHEME, PATH, AUTHORITY]);
        frames.send(HEADERS, END_HEADERS, 1, &head).await;
        frames.send(DATA, 0, 1, b"hello").await;
        frames.send(HEADERS, END_HEADERS | flag, 1, &fields(trailers)).await;
        assert_ne!(end(&mut frames).await, End::Answer, "{name}");
        let got = got(&stage).await;
        assert!(got.is_empty(), "{name}: {got:?}");
    }
}

#[tokio::test]
async fn pseudo_headers_among_trailers_change_nothing() {
    let stage = Stage::new().await;
    let mut frames = Frames::connect(stage.scene.addresses.http).await;
    let head = fields(&[(":method", b"POST"), SCHEME, PATH, AUTHORITY, ("trailer", b"x-sum")]);
    frames.send(HEADERS, END_HEADERS, 1, &head).await;
    frames.send(DATA, 0, 1, b"hello").await;
    let trailers = fields(&[(":path", b"/other"), ("x-sum", b"1")]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &trailers).await;
    // 8.1 calls them malformed; the library drops them instead.
    assert_eq!(end(&mut frames).await, End::Answer);
    let got = got(&stage).await;
    assert_eq!(got[0].line, "POST /in HTTP/1.1");
    assert!(got[0].fields.iter().all(|field| !field.contains("/other")), "{got:?}");
}

#[tokio::test]
async fn frames_out_of_order_end_the_connection() {
    let stage = Stage::new().await;
    let last = END_HEADERS | END_STREAM;
    // 5.1: data before a head. 5.1.1: a stream of the server's. 6.10: a head that is broken into, and no head before
    // its continuation. 6.1, 6.2: no stream at all.
    let cases: [&[(u8, u8, u32)]; 6] = [
        &[(DATA, END_STREAM, 1)],
        &[(HEADERS, last, 2)],
        &[(HEADERS, END_STREAM, 1), (DATA, 0, 1)],
        &[(CONTINUATION, END_HEADERS, 1)],
        &[(DATA, 0, 0)],
        &[(HEADERS, last, 0)],
    ];
    for case in cases {
        let mut frames = Frames::connect(stage.scene.addresses.http).await;
        for (kind, flags, stream) in case {
            let payload = if *kind == HEADERS { fields(ALL) } else { b"hello".to_vec() };
            frames.send(*kind, *flags, *stream, &payload).await;
        }
        assert_eq!(end(&mut frames).await, End::Reset, "{case:?}");
        let got = got(&stage).await;
        assert!(got.is_empty(), "{case:?}: {got:?}");
    }
}

#[tokio::test]
async fn frames_that_break_the_rules_end_the_connection() {
    let stage = Stage::new().await;
    let padded = [&[200][..], &fields(ALL)].concat();
    // 6.1, 6.2: more padding than frame. 6.3, 6.4, 6.5, 6.7, 6.9: lengths. 6.4: an idle stream. 6.5, 6.7, 6.8: settings, pings
    // and goodbyes of a stream. 6.5.2: values. 6.6: pushes of a client. 6.9: no window at all, and too large a one.
    let cases: [(u8, u8, u32, &[u8]); 17] = [
        (HEADERS, 8 | END_HEADERS | END_STREAM, 1, &padded),
        (RST_STREAM, 0, 0, &[0; 4]),
        (RST_STREAM, 0, 1, &[0; 3]),
        (RST_STREAM, 0, 1, &[0; 4]),
        (SETTINGS, 0, 0, &[0; 5]),
        (SETTINGS, 0, 1, &[]),
        (SETTINGS, 1, 0, &[0; 6]),
        (SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]),
        (SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
        (SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]),
        (PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]),
        (PING, 0, 0, &[0; 7]),
        (PING, 0, 1, &[0; 8]),
        (GOAWAY, 0, 1, &[0; 8]),
        (WINDOW_UPDATE, 0, 0, &[0; 4]),
        (WINDOW_UPDATE, 0, 0, &[0; 3]),
        (WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
    ];
    for (kind, flags, stream, payload) in cases {
        let mut frames = Frames::connect(stage.scene.addresses.http).await;
        frames.send(kind, flags, stream, payload).await;
        let kinds = frames.rest().await;
        assert!(!kinds.contains(&HEADERS), "{kind} {payload:?}: {kinds:?}");
        let got = got(&stage).await;
        assert!(got.is_empty(), "{kind} {payload:?}: {got:?}");
    }
    let mut frames = Frames::connect(stage.scene.addresses.http).await;
    // 4.2: larger than was ever allowed.
    frames.send(PING, 0, 0, &[0; 16_385]).await;
    let kinds = frames.rest().await;
    assert!(kinds.is_empty() || kinds == [GOAWAY], "{kinds:?}");
}

#[tokio::test]
async fn frames_of_unknown_kinds_are_passed_over() {
    let stage = Stage::new().await;
    let mut frames = Frames::connect(stage.scene.addresses.http).await;
    // 4.1, 5.5: unknown kinds, flags and settings. 5.3.2: priorities, which nobody heeds.
    frames.send(0xbe, 0xff, 7, b"unknown").await;
    frames.send(SETTINGS, 0, 0, &[0xbe, 0xef, 1, 2, 3, 4]).await;
    frames.send(PRIORITY, 0, 3, &[0, 0, 0, 0, 1]).await;
    frames.send(HEADERS, 0xc0 | END_HEADERS | END_STREAM, 5, &fields(ALL)).await;
    assert_eq!(end(&mut frames).await, End::Answer);
    assert_eq!(got(&stage).await.len(), 1);
}

#[tokio::test]
async fn a_head_in_several_pieces_is_one_head() {
    let stage = Stage::new().await;
    let block = fields(ALL);
    for cut in [1, block.len() / 2, block.len() - 1] {
        let mut frames = Frames::connect(stage.scene.addresses.http).await;
        frames.send(HEADERS, END_STREAM, 1, &block[..cut]).await;
        frames.send(CONTINUATION, 0, 1, &[]).await;
        frames.send(CONTINUATION, END_HEADERS, 1, &block[cut..]).await;
        assert_eq!(end(&mut frames).await, End::Answer, "6.10: cut at {cut}");
        assert_eq!(got(&stage).await.len(), 1);
    }
}
