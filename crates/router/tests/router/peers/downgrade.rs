//! HTTP/2 that becomes HTTP/1.1 on its way: what nginx or HAProxy refuse to pass on, this router refuses, or what it makes
//! of it is one plain request to them.

use std::fmt::Debug;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::peer::Peer;
use super::recorder::{Reading, Recorder, Taken};
use super::{LAST, May, QUIET, finds};
use crate::support::h2::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, fields, frame,
};
use crate::support::{PATIENCE, Scene};

type Fields = &'static [(&'static str, &'static [u8])];

/// A request: what is odd about it, its head, and its body.
#[derive(Clone)]
struct Case(&'static str, Vec<(&'static str, &'static [u8])>, Option<&'static str>);

/// A request of this method, scheme, path and authority.
fn asked(name: &'static str, line: [&'static str; 4]) -> Case {
    let names = [":method", ":scheme", ":path", ":authority"];
    Case(name, names.into_iter().zip(line.map(str::as_bytes)).collect(), None)
}

/// One that has these fields, too.
fn with(name: &'static str, more: Fields) -> Case {
    let Case(name, line, _) = asked(name, ["GET", "http", "/in", "blog.example.com"]);
    Case(name, [&line, more].concat(), None)
}

/// One with a body.
fn posted(name: &'static str, more: Fields, body: &'static str) -> Case {
    let Case(name, line, _) = asked(name, ["POST", "http", "/in", "blog.example.com"]);
    Case(name, [&line, more].concat(), Some(body))
}

fn cases() -> Vec<Case> {
    [lengths(), connection_fields(), fields_of_all_kinds(), pseudo_headers()].concat()
}

/// Bodies and how long they are. Source: RFC 9113 section 8.1.1.
fn lengths() -> Vec<Case> {
    vec![
        with("nothing", &[]),
        posted("a body", &[], "hello"),
        posted("a body of the length that was told", &[("content-length", b"5")], "hello"),
        posted("a body that is too short", &[("content-length", b"9")], "hello"),
        posted("a body that is too long", &[("content-length", b"3")], "hello"),
        posted("no body", &[("content-length", b"3")], ""),
        posted("two lengths", &[("content-length", b"5"), ("content-length", b"6")], "hello"),
        posted("one length twice", &[("content-length", b"5"), ("content-length", b"5")], "hello"),
        posted("a list of lengths", &[("content-length", b"5, 5")], "hello"),
        posted("a signed length", &[("content-length", b"+5")], "hello"),
        posted("a length that is none", &[("content-length", b"5x")], "hello"),
        posted("an empty length", &[("content-length", b"")], "hello"),
    ]
}

/// What concerns one connection. Source: section 8.2.2.
fn connection_fields() -> Vec<Case> {
    vec![
        with("connection", &[("connection", b"close")]),
        with("what connection names", &[("connection", b"x-a"), ("x-a", b"b")]),
        with("keep-alive", &[("keep-alive", b"timeout=5")]),
        with("proxy-connection", &[("proxy-connection", b"close")]),
        with("upgrade", &[("upgrade", b"h2c")]),
        with("te", &[("te", b"gzip")]),
        with("te: trailers", &[("te", b"trailers")]),
        posted(
            "transfer-encoding",
            &[("transfer-encoding", b"chunked")],
            "0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
        ),
        posted("transfer-encoding: identity", &[("transfer-encoding", b"identity")], "hello"),
    ]
}

/// Names and values. Source: section 8.2.1.
fn fields_of_all_kinds() -> Vec<Case> {
    vec![
        with("upper case", &[("X-A", b"b")]),
        with("a space in a name", &[("x a", b"b")]),
        with("a space behind a name", &[("x-a ", b"b")]),
        with("a colon in a name", &[("x-a:b", b"c")]),
        with("a line in a name", &[("x-a: b\r\nx-c", b"d")]),
        with("no name", &[("", b"b")]),
        with("other letters in a name", &[("x-\u{e4}", b"b")]),
        with("NUL in a name", &[("x-\0", b"b")]),
        with("a line in a value", &[("x-a", b"b\r\nx-evil: c")]),
        with("a request in a value", &[("x-a", b"b\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n")]),
        with("a carriage return", &[("x-a", b"b\rc")]),
        with("a line feed", &[("x-a", b"b\nc")]),
        with("a line feed at the end", &[("x-a", b"b\n")]),
        with("NUL in a value", &[("x-a", b"b\0c")]),
        with("space around a value", &[("x-a", b" b ")]),
        with("underscores", &[("content_length", b"5"), ("transfer_encoding", b"chunked")]),
        with("cookies", &[("cookie", b"a=b"), ("cookie", b"c=d")]),
    ]
}

/// Methods, targets and hosts. Source: section 8.3.1.
fn pseudo_headers() -> Vec<Case> {
    let at = |name, path| asked(name, ["GET", "http", path, "blog.example.com"]);
    let to = |name, authority| asked(name, ["GET", "http", "/in", authority]);
    let by = |name, method| asked(name, [method, "http", "/in", "blog.example.com"]);
    vec![
        with("an unknown pseudo-header", &[(":a", b"b")]),
        with("two paths", &[(":path", b"/evil")]),
        with("a pseudo-header of answers", &[(":status", b"200")]),
        with("the same host", &[("host", b"blog.example.com")]),
        with("another host", &[("host", b"a")]),
        with("two hosts", &[("host", b"blog.example.com"), ("host", b"blog.example.com")]),
        at("no slash", "in"),
        at("no path", ""),
        at("a whole address", "http://a/in"),
        at("a space in a path", "/in HTTP/1.1"),
        at("a line in a path", "/in HTTP/1.1\r\nx-evil: a"),
        at("a request in a path", "/in HTTP/1.1\r\nHost: a\r\n\r\nGET /evil"),
        at("NUL in a path", "/in\0"),
        at("other letters in a path", "/\u{e4}"),
        at("a fragment", "/in#a"),
        by("a space in a method", "GET /evil"),
        by("a request in a method", "GET /evil HTTP/1.1\r\nHost: a\r\n\r\nGET"),
        by("no method", ""),
        by("a method that is no token", "G(T"),
        asked("a scheme that is none", ["GET", "ht tp", "/in", "blog.example.com"]),
        asked("a scheme with an address", ["GET", "http://a/?", "/in", "blog.example.com"]),
        to("a user", "me@blog.example.com"),
        to("a path in an authority", "blog.example.com/evil"),
        to("a line in an authority", "blog.example.com\r\nx-evil: a"),
        to("a space in an authority", "blog.example.com a"),
        to("no authority", ""),
        to("a port that is none", "blog.example.com:a"),
    ]
}

impl Case {
    /// All that is sent.
    fn played(&self) -> Vec<u8> {
        let Self(_, head, body) = self;
        let last = if body.is_some() { 0 } else { END_STREAM };
        let head = frame(HEADERS, END_HEADERS | last, 1, &fields(head));
        let body = body.map(|body| frame(DATA, END_STREAM, 1, body.as_bytes())).unwrap_or_default();
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &head, &body].concat()
    }
}

/// Sends `bytes`, which are one request, and waits until it has been answered or refused.
pub(super) async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) {
    // One who refuses the first bytes may be gone before the last.
    let _ = stream.write_all(bytes).await;
    let ended = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            let is_whole = stream.read_exact(&mut payload).await.is_ok();
            let is_last = matches!(head[3], HEADERS | DATA) && head[4] & END_STREAM != 0;
            if !is_whole || is_last || matches!(head[3], RST_STREAM | GOAWAY) {
                break;
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    ended.unwrap_or_else(|_| panic!("{} is answered or refused", bytes.escape_ascii()));
}

/// What an app behind this router gets for `case`.
async fn passed(scene: &Scene, release: u32, case: &Case) -> Taken {
    let recorder = Recorder::start().await;
    scene.controller.route("blog", release, &[recorder.address()]);
    let generation = scene.controller.reroute("blog", |route| route.hosts.push("a".to_owned()));
    scene.controller.applied(generation).await;
    play(TcpStream::connect(scene.addresses.http).await.unwrap(), &case.played()).await;
    let away = scene.controller.route("blog", release, &[]);
    scene.controller.drained(away).await;
    recorder.take()
}

/// What peers refuse or spell otherwise, and why it does no harm.
const KNOWN: [(&str, &str, &str); 4] = [
    ("nginx", "the same host", "it takes one of the two only; here they are the same"),
    ("nginx", "a fragment", "the library has cut it off by then"),
    ("HAProxy", "a fragment", "likewise"),
    ("HAProxy", "other letters in a path", "it passes them on itself, but takes them over HTTP/2 only"),
];

/// The differences of what `peer` and this router make of `case`, which is `ours`.
async fn compare(case: &Case, ours: &Taken, peer: &Peer) -> Vec<String> {
    let (Case(name, ..), mut differences) = (case, Vec::new());
    let mut differ = |what: &str, ours: &dyn Debug, theirs: &dyn Debug| {
        differences.push(format!("{name}: {what} {ours:?}, by {}: {theirs:?}", peer.name));
    };
    let theirs = peer.downgrades(&case.played()).await;
    let readings: Vec<&Reading> = ours.requests.iter().map(|recorded| &recorded.reading).collect();
    let is_known = KNOWN.iter().any(|(by, known, _)| *by == peer.name && known == name);
    let may = if is_known { May::Refuse } else { May::Agree };
    if !is_known && !readings.is_empty() && readings != theirs.iter().collect::<Vec<_>>() {
        differ("is passed on as", &readings, &theirs);
    }
    for recorded in &ours.requests {
        let theirs = peer.passes(&[&recorded.bytes, LAST.as_bytes()].concat(), QUIET).await;
        if !finds(recorded, &theirs, may) {
            differ("is passed on, read as", recorded, &theirs);
        }
    }
    differences
}

#[tokio::test]
async fn nobody_gets_through_by_http_2_what_others_refuse() {
    let (Some(nginx), Some(haproxy)) = (Peer::nginx().await, Peer::haproxy().await) else { return };
    let (scene, cases, mut differences, mut passed_on) = (Scene::new().await, cases(), Vec::new(), 0);
    for (case, release) in cases.iter().zip(1..) {
        let ours = passed(&scene, release, case).await;
        passed_on += ours.requests.len();
        assert!(ours.requests.len() <= 1, "{}: {:?}", case.0, ours.requests);
        for peer in [&nginx, &haproxy] {
            differences.extend(compare(case, &ours, peer).await);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(passed_on >= 5, "{passed_on}");
    assert!(KNOWN.iter().all(|(_, name, _)| cases.iter().any(|case| case.0 == *name)));
}
