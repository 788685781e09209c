//! RFC 9112, HTTP/1.1: how messages are written, and where they end.

use super::{Case, HOST, Passed, Stage, Then, bad, check, passed, passed_with, refused};
use crate::support::{App, Scene};

/// All that are played one by one.
pub(super) fn cases() -> impl Iterator<Item = Case> {
    [framing(), heads(), bad_chunks(), good_chunks(), targets(), limits()].into_iter().flatten()
}

/// A request with a body in chunks.
fn chunked(body: &str) -> String {
    format!("POST /in HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{body}")
}

/// One with these fields.
fn with(fields: &str) -> String {
    format!("GET /in HTTP/1.1\r\n{HOST}{fields}\r\n\r\n")
}

/// One with this target.
fn to(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{HOST}\r\n")
}

fn posted(fields: &str, body: &str) -> String {
    format!("POST /in HTTP/1.1\r\n{HOST}{fields}\r\n\r\n{body}")
}

/// Requests that end in one place for some and in another for others.
fn framing() -> Vec<Case> {
    vec![
        bad("6.1: both lengths", posted("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        bad("6.3: two lengths", posted("Content-Length: 2\r\nContent-Length: 3", "abc")),
        bad("6.3: the same length twice", posted("Content-Length: 2\r\nContent-Length: 2", "ab")),
        bad("6.3: a list of lengths", posted("Content-Length: 2, 2", "ab")),
        bad("6.2: a signed length", posted("Content-Length: +2", "ab")),
        bad("6.2: a negative length", posted("Content-Length: -2", "ab")),
        bad("6.2: a length with a space in it", posted("Content-Length: 1 0", "ab")),
        bad("6.2: a length in hexadecimal", posted("Content-Length: 0x2", "ab")),
        bad("6.2: no length in the field", posted("Content-Length:", "")),
        bad("6.2: a length beyond all numbers", posted("Content-Length: 18446744073709551616", "ab")),
        refused("6.1: identity, chunked", posted("Transfer-Encoding: identity, chunked", "0\r\n\r\n"), 501),
        refused("6.1: gzip, chunked", posted("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501),
        bad("6.1: chunked twice", posted("Transfer-Encoding: chunked, chunked", "0\r\n\r\n")),
        bad(
            "6.1: chunked in two fields",
            posted("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ),
        bad("6.3: chunked is not the last", posted("Transfer-Encoding: chunked, gzip", "0\r\n\r\n")),
        bad("5.1: a space before the colon", posted("Transfer-Encoding : chunked", "0\r\n\r\n")),
        bad("6.1: an unknown coding", posted("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        bad("6.1: a coding in quotes", posted("Transfer-Encoding: \"chunked\"", "0\r\n\r\n")),
        bad("6.1: a coding with a parameter", posted("Transfer-Encoding: chunked;a=b", "0\r\n\r\n")),
        bad("6.1: a vertical tab before it", posted("Transfer-Encoding: \x0bchunked", "0\r\n\r\n")),
        bad(
            "6.1: chunked in HTTP/1.0",
            format!("POST /in HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        bad("3.2: two hosts", with("Host: blog.example.com")),
        bad("3.2: no host", "GET /in HTTP/1.1\r\n\r\n"),
        bad("5.2: a folded field", with("X-A: b\r\n c")),
        bad("5.2: a folded field that is empty", with("X-A: b\r\n ")),
        bad("2.2: line feeds alone", format!("GET /in HTTP/1.1\n{}\n", HOST.replace("\r\n", "\n"))),
        bad("2.2: one line feed alone", format!("GET /in HTTP/1.1\r\nX-A: b\n{HOST}\r\n")),
        bad("2.2: a line feed alone ends the head", format!("GET /in HTTP/1.1\r\n{HOST}\n")),
    ]
}

#[tokio::test]
async fn framing_that_others_read_differently_is_refused() {
    check(framing()).await;
}

/// Heads that break a rule, and one that does not.
fn heads() -> Vec<Case> {
    vec![
        bad("2.2: a carriage return alone in a value", with("X-A: b\rc")),
        bad("2.2: a carriage return alone at the end", format!("GET /in HTTP/1.1\rX: y\r\n{HOST}\r\n")),
        bad("2.2: a space before the first field", format!("GET /in HTTP/1.1\r\n X-A: b\r\n{HOST}\r\n")),
        bad("3: two spaces in the request line", format!("GET  /in HTTP/1.1\r\n{HOST}\r\n")),
        bad("3: a tab in the request line", format!("GET\t/in HTTP/1.1\r\n{HOST}\r\n")),
        bad("3: a space in the target", to("/i n")),
        bad("3: no version", format!("GET /in\r\n{HOST}\r\n")),
        bad("3: something after the version", format!("GET /in HTTP/1.1 x\r\n{HOST}\r\n")),
        bad("2.3: a version in lower case", format!("GET /in http/1.1\r\n{HOST}\r\n")),
        bad("2.3: a version of other digits", format!("GET /in HTTP/01.1\r\n{HOST}\r\n")),
        bad("2.3: a version of the past", format!("GET /in HTTP/0.9\r\n{HOST}\r\n")),
        bad("2.3: another protocol", format!("GET /in RTSP/1.1\r\n{HOST}\r\n")),
        bad("3.1: a method that is no token", format!("G(T /in HTTP/1.1\r\n{HOST}\r\n")),
        bad("5: a line without a colon", with("nothing")),
        bad("5.1: no name", with(": b")),
        bad("5.1: a space in a name", with("X A: b")),
        bad("5.1: a tab before the colon", with("X-A\t: b")),
        bad("5.1: a name that is no token", with("X(A: b")),
        bad("5.1: a name with NUL", with("X\0A: b")),
        bad("5.5 of RFC 9110: a value with NUL", with("X-A: b\0c")),
        bad("5.5 of RFC 9110: a value with DEL", with("X-A: b\x7fc")),
        passed("2.2: an empty line before", format!("\r\n{}", with("X-A: b")), "GET /in HTTP/1.1"),
    ]
}

#[tokio::test]
async fn heads_that_are_none_are_refused() {
    check(heads()).await;
}

#[tokio::test]
async fn other_ages_of_http_are_told_so() {
    // The library, to which a connection is left with its first request out of the common, answers such a line itself.
    for (short, status) in [(true, 505), (false, 400)] {
        let (scene, app) = (Scene::with(|config| config.short_way = short).await, App::start("blog").await);
        scene.route("blog", 2, &[&app]).await;
        for version in ["2.0", "2.9", "3.0"] {
            for before in ["", "GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n"] {
                let mut client = scene.client().await;
                let text = format!("{before}GET /in HTTP/{version}\r\n{HOST}\r\n");
                for piece in [&text[..before.len() + 13], &text[before.len() + 13..]] {
                    client.send(piece).await;
                }
                if !before.is_empty() {
                    assert_eq!(client.answer().await.status, 200);
                }
                let answer = client.answer().await;
                assert_eq!(answer.status, status, "9110 15.6.6: {version} after {before:?}");
                let is_told = answer.text().contains("1.1");
                assert!(is_told || !short, "what is spoken is told: {}", answer.text());
                assert_eq!(client.rest().await, b"");
            }
        }
        assert_eq!(app.requests(), 3);
    }
}

/// Bodies that are cut into chunks badly.
fn bad_chunks() -> Vec<Case> {
    let long = "x".repeat(64 * 1024);
    vec![
        bad("7.1: a size beyond all numbers", chunked("10000000000000000\r\nx")),
        bad("7.1: a size that overflows to a good one", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a negative size", chunked("-5\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a signed size", chunked("+5\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a size with an underscore", chunked("0_5\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a space before a size", chunked(" 5\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a space after a size", chunked("5 \r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a tab after a size", chunked("5\t\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a space in a size", chunked("0 5\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a space after the last size", chunked("5\r\nhello\r\n0 \r\n\r\n")),
        bad("7.1: no size", chunked("\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: no size but an extension", chunked(";a=b\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: no digit", chunked("g\r\nhello\r\n0\r\n\r\n")),
        bad("7.1: a line feed alone after a size", chunked("5\nhello\r\n0\r\n\r\n")),
        bad("7.1: a line feed alone after a chunk", chunked("5\r\nhello\n0\r\n\r\n")),
        bad("7.1: nothing after a chunk", chunked("5\r\nhello0\r\n\r\n")),
        bad("7.1: a chunk that is too long", chunked("5\r\nhello!\r\n0\r\n\r\n")),
        bad("7.1: a line feed alone at the end", chunked("5\r\nhello\r\n0\r\n\n")),
        bad("7.1.1: a line feed in an extension", chunked("5;a\nhello\r\n0\r\n\r\n")),
        bad("7.1.1: a carriage return in an extension", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")),
        bad("7.1.1: an extension that is too long", chunked(&format!("5;{long}\r\nhello\r\n0\r\n\r\n"))),
        bad("7.1.2: a trailer that is no field", chunked("5\r\nhello\r\n0\r\nnothing\r\n\r\n")),
        bad("7.1.2: a folded trailer", chunked("5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n")),
        bad("7.1.2: a space in a trailer's name", chunked("5\r\nhello\r\n0\r\nX-A : b\r\n\r\n")),
        bad("7.1.2: trailers that are too long", chunked(&format!("0\r\nX-A: {long}\r\n\r\n"))),
    ]
}

#[tokio::test]
async fn bodies_in_bad_chunks_never_reach_an_app_whole() {
    check(bad_chunks()).await;
}

/// Bodies in chunks as they should be.
fn good_chunks() -> Vec<Case> {
    let whole = || Passed { line: "POST /in HTTP/1.1", body: "hello", ..Passed::default() };
    vec![
        passed_with("7.1: one chunk", chunked("5\r\nhello\r\n0\r\n\r\n"), whole()),
        passed_with("7.1: two chunks", chunked("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), whole()),
        passed_with("7.1: zeros before sizes", chunked("0005\r\nhello\r\n000\r\n\r\n"), whole()),
        passed_with("7.1.1: extensions", chunked("5;a;b=c;d=\"e;f\"\r\nhello\r\n0;g\r\n\r\n"), whole()),
        passed_with(
            "7: a coding has no case",
            posted("Transfer-Encoding: Chunked", "5\r\nhello\r\n0\r\n\r\n"),
            whole(),
        ),
        passed_with(
            "7.1.2: trailers that were announced",
            posted("Transfer-Encoding: chunked\r\nTrailer: X-Sum", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
            Passed { has: &["x-sum: 1", "trailer: X-Sum"], ..whole() },
        ),
        passed_with(
            "6.5.1 of RFC 9110: trailers that change where a message ends or goes",
            posted(
                "Transfer-Encoding: chunked\r\nTrailer: Content-Length, Host, Transfer-Encoding",
                "5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: other\r\nTransfer-Encoding: gzip\r\n\r\n",
            ),
            Passed {
                has: &["transfer-encoding: chunked", "host: blog.example.com"],
                lacks: &["content-length", "host: other", "transfer-encoding: gzip"],
                ..whole()
            },
        ),
    ]
}

#[tokio::test]
async fn bodies_in_good_chunks_pass() {
    check(good_chunks()).await;
}

/// Targets of every form.
fn targets() -> Vec<Case> {
    vec![
        passed("3.2.1: doubled slashes", to("//in//x/"), "GET //in//x/ HTTP/1.1"),
        passed("3.2.1: dots", to("/a/../b/./c"), "GET /a/../b/./c HTTP/1.1"),
        passed("3.2.1: escapes", to("/%2e%2E%2f%41%zz%00?%0d%0a"), "GET /%2e%2E%2f%41%zz%00?%0d%0a HTTP/1.1"),
        passed("3.2.1: an empty query", to("/in?"), "GET /in? HTTP/1.1"),
        passed("3.2.1: marks in a query", to("/in?a=b&c[]=/?;d"), "GET /in?a=b&c[]=/?;d HTTP/1.1"),
        passed_with(
            "3.2.2: the absolute form beats Host",
            "GET http://blog.example.com/in?a HTTP/1.1\r\nHost: other.example.com\r\n\r\n",
            Passed { line: "GET /in?a HTTP/1.1", has: &["host: blog.example.com"], ..Passed::default() },
        ),
        passed("3.2.2: the absolute form without a path", to("http://blog.example.com"), "GET / HTTP/1.1"),
        passed("3.2.2: a query without a path", to("http://blog.example.com?a"), "GET /?a HTTP/1.1"),
        passed("3.2.4: the asterisk form", format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n"), "OPTIONS * HTTP/1.1"),
        Case {
            name: "3.2.2: the absolute form of somebody else",
            sent: to("http://other.example.com/in"),
            then: Then::Answered(404),
        },
        Case {
            name: "4.2.4 of RFC 9110: a user in the absolute form",
            sent: to("http://me@blog.example.com/in"),
            then: Then::Answered(400),
        },
        Case {
            name: "3.2.3: the authority form without CONNECT",
            sent: to("blog.example.com:80"),
            then: Then::Answered(400),
        },
        Case { name: "3.2.4: the asterisk form without OPTIONS", sent: to("*"), then: Then::Answered(400) },
        bad("3.2: a fragment", to("/in#part")),
        bad("3.2: a fragment in the absolute form", to("http://blog.example.com/in#part")),
        Case { name: "3.2: no slash", sent: to("in"), then: Then::Answered(400) },
        bad("3.2: NUL", to("/i\0n")),
        bad("3.2: a carriage return", to("/i\rn")),
        bad("3.2: DEL", to("/i\x7fn")),
    ]
}

#[tokio::test]
async fn targets_pass_as_they_are_or_not_at_all() {
    check(targets()).await;
}

/// Heads that are too large, and one that is not.
fn limits() -> Vec<Case> {
    let long = "x".repeat(40 * 1024);
    let fields = |count: usize| (0..count).map(|number| format!("X-{number}: a\r\n")).collect::<String>();
    vec![
        refused("5: a long field", with(&format!("X-A: {long}")), 431),
        refused("5: a field that is much too long", with(&format!("X-A: {long}{long}")), 431),
        refused("5: many fields", with(&fields(200)), 431),
        refused("3: a long target", to(&format!("/{long}")), 414),
        passed("5: not so many fields", with(fields(80).trim_end()), "GET /in HTTP/1.1"),
    ]
}

#[tokio::test]
async fn heads_have_limits() {
    check(limits()).await;
}

/// All kinds of requests in a row, the last but one of which is refused.
pub(super) fn pipeline() -> String {
    let all = [
        posted("Content-Length: 5", "GET /"),
        to("/one"),
        chunked("5\r\nhello\r\n0\r\n\r\n"),
        with("Upgrade: x\r\nConnection: upgrade"),
        to("/two"),
        "GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n".to_owned(),
        to("/three"),
        posted("Content-Length: 1\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        to("/never"),
    ];
    all.concat()
}

#[tokio::test]
async fn requests_are_answered_in_their_order_whatever_they_are() {
    let stage = Stage::new().await;
    let mut client = stage.scene.client().await;
    client.send(pipeline()).await;
    for status in [200, 200, 200, 200, 200, 404, 200, 400] {
        assert_eq!(client.answer().await.status, status, "9.3.2");
    }
    assert_eq!(client.rest().await, b"");
    let lines: Vec<_> = stage.take().into_iter().map(|got| got.line).collect();
    let path = |path| format!("GET {path} HTTP/1.1");
    let post = || "POST /in HTTP/1.1".to_owned();
    assert_eq!(lines, [post(), path("/one"), post(), path("/in"), path("/two"), path("/three")]);
}

/// Uploads without their ends.
pub(super) fn broken_off() -> [String; 5] {
    [
        posted("Content-Length: 50", "GET /smuggled HTTP/1.1\r\n"),
        chunked("32\r\nGET /smuggled HTTP/1.1\r\n"),
        chunked("5\r\nhello\r\n"),
        chunked("5\r\nhello\r\n0\r\n"),
        chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\n"),
    ]
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_no_request_and_spoils_no_other() {
    let stage = Stage::new().await;
    for part in broken_off() {
        let mut client = stage.scene.client().await;
        client.send(&part).await;
        client.finish().await;
        let answered = client.rest().await;
        assert!(!answered.starts_with(b"HTTP/1.1 200"), "8: {part:?}");
        for _ in 0..3 {
            assert_eq!(stage.scene.get("blog", "/probe").await.status, 200, "8: {part:?}");
        }
        assert!(stage.take().iter().all(|got| got.line == "GET /probe HTTP/1.1"), "8: {part:?}");
    }
}
