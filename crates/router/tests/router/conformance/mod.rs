//! What the RFCs ask of a proxy, case by case: what a client sends, what it gets, and what the app got.
//!
//! Every case names the section it is from. Another program runs all of them over the other way of requests.

mod answers;
mod expectations;
mod interims;
mod rfc6455;
mod rfc9110;
mod rfc9112;
mod rfc9113;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, Client, Scene, read_head};

/// The app that all cases are about.
pub(super) const HOST: &str = "Host: blog.example.com\r\n";

/// One request as the app got it: all of it.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// `GET / HTTP/1.1`
    pub(crate) line: String,
    /// `name: value`, names in lower case, trailers after the others.
    pub(crate) fields: Vec<String>,
    /// Without the marks of chunks.
    pub(crate) body: String,
}

/// A router and an app that takes note of all that it gets.
pub(super) struct Stage {
    pub(super) scene: Scene,
    got: Arc<Mutex<Vec<Got>>>,
    _app: App,
}

/// What a client sends.
pub(super) struct Case {
    /// The section and what is at stake.
    pub(super) name: &'static str,
    pub(super) sent: String,
    pub(super) then: Then,
}

/// What becomes of it.
pub(super) enum Then {
    /// The client gets this status and no more on this connection; the app gets nothing.
    Refused(u16),
    /// The app gets this and the client may go on.
    Passed(Passed),
    /// The app gets this and the client's connection ends.
    Last(Passed),
    /// The router answers with this status itself, and the client may go on.
    Answered(u16),
}

/// What the app gets.
#[derive(Default)]
pub(super) struct Passed {
    pub(super) line: &'static str,
    /// Whole lines.
    pub(super) has: &'static [&'static str],
    /// Beginnings of lines.
    pub(super) lacks: &'static [&'static str],
    pub(super) body: &'static str,
}

/// What clients send in the cases of RFC 9112, by name, and whether that is all of a request.
pub(crate) fn sent() -> Vec<(&'static str, String, bool)> {
    let whole = rfc9112::cases().map(|case| (case.name, case.sent, true));
    let pipeline = ("9.3.2: a pipeline", rfc9112::pipeline(), true);
    let parts = rfc9112::broken_off().map(|part| ("8: a part", part, false));
    whole.chain([pipeline]).chain(parts).collect()
}

/// A request that is refused with 400.
pub(super) fn bad(name: &'static str, sent: impl Into<String>) -> Case {
    Case { name, sent: sent.into(), then: Then::Refused(400) }
}

/// A request that is refused with another status.
pub(super) fn refused(name: &'static str, sent: impl Into<String>, status: u16) -> Case {
    Case { name, sent: sent.into(), then: Then::Refused(status) }
}

/// A request that reaches the app with this request line.
pub(super) fn passed(name: &'static str, sent: impl Into<String>, line: &'static str) -> Case {
    passed_with(name, sent, Passed { line, ..Passed::default() })
}

/// A request that reaches the app like this.
pub(super) fn passed_with(name: &'static str, sent: impl Into<String>, passed: Passed) -> Case {
    Case { name, sent: sent.into(), then: Then::Passed(passed) }
}

/// Plays `cases`, each as the first request of a connection and as the second, and tells all that fail.
pub(super) async fn check(cases: impl IntoIterator<Item = Case>) {
    let (stage, mut failed) = (Stage::new().await, Vec::new());
    for case in cases {
        for before in ["", "GET /before HTTP/1.1\r\nHost: blog.example.com\r\n\r\n"] {
            stage.take();
            let checked = AssertUnwindSafe(stage.check(&case, before)).catch_unwind().await;
            failed.extend(checked.is_err().then_some(case.name));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

impl Stage {
    pub(super) async fn new() -> Self {
        let scene = Scene::new().await;
        let got = Arc::<Mutex<Vec<Got>>>::default();
        let app = App::raw({
            let got = Arc::clone(&got);
            move |_, stream| take_note(stream, Arc::clone(&got))
        })
        .await;
        scene.route("blog", 2, &[&app]).await;
        Self { scene, got, _app: app }
    }

    /// Takes what the app got since it was asked last.
    pub(super) fn take(&self) -> Vec<Got> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }

    async fn check(&self, case: &Case, before: &str) {
        let name = format!("{} ({:?} after {before:?})", case.name, shortened(&case.sent));
        let mut client = self.scene.client().await;
        let after = "GET /after HTTP/1.1\r\nHost: blog.example.com\r\n\r\n";
        if !before.is_empty() {
            client.send(before).await;
            assert_eq!(client.answer().await.status, 200, "{name}");
            assert_eq!(self.take().len(), 1, "{name}");
        }
        match &case.then {
            Then::Refused(status) => {
                client.send(case.sent.clone() + after).await;
                assert_eq!(status_of(&mut client, &case.sent).await, Some(*status), "{name}");
                assert_eq!(client.rest().await.escape_ascii().to_string(), "", "{name}");
                // When another request has been answered, whatever this one caused has been too.
                assert_eq!(self.scene.get("blog", "/probe").await.status, 200, "{name}");
                let lines: Vec<_> = self.take().into_iter().map(|got| got.line).collect();
                assert_eq!(lines, ["GET /probe HTTP/1.1"], "{name}");
            }
            Then::Answered(status) => {
                client.send(&case.sent).await;
                assert_eq!(status_of(&mut client, &case.sent).await, Some(*status), "{name}");
                assert_eq!(client.get("blog.example.com", "/after").await.status, 200, "{name}");
                assert_eq!(self.take().len(), 1, "{name}");
            }
            Then::Passed(passed) => {
                client.send(&case.sent).await;
                assert_eq!(status_of(&mut client, &case.sent).await, Some(200), "{name}");
                self.compare(passed, &name);
                assert_eq!(client.get("blog.example.com", "/after").await.status, 200, "{name}");
                assert_eq!(self.take()[0].line, "GET /after HTTP/1.1", "{name}");
            }
            Then::Last(passed) => {
                client.send(&case.sent).await;
                assert_eq!(status_of(&mut client, &case.sent).await, Some(200), "{name}");
                self.compare(passed, &name);
                assert_eq!(client.rest().await.escape_ascii().to_string(), "", "{name}");
            }
        }
    }

    fn compare(&self, passed: &Passed, name: &str) {
        let all = self.take();
        let [got] = &all[..] else { panic!("{name}: {all:?}") };
        assert_eq!((got.line.as_str(), got.body.as_str()), (passed.line, passed.body), "{name}: {got:?}");
        for line in passed.has {
            assert!(got.fields.iter().any(|field| field == line), "{name}: {line:?} in {got:?}");
        }
        for start in passed.lacks {
            assert!(!got.fields.iter().any(|field| field.starts_with(start)), "{name}: {start:?} in {got:?}");
        }
    }
}

/// The status of the final answer to `sent`.
async fn status_of(client: &mut Client, sent: &str) -> Option<u16> {
    if sent.trim_start().starts_with("HEAD ") {
        return Some(client.head().await?.status);
    }
    Some(client.try_answer().await?.status)
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Answers every whole request on `stream` with 200 and notes it.
async fn take_note(mut stream: TcpStream, all: Arc<Mutex<Vec<Got>>>) {
    while let Some(got) = read_whole(&mut stream).await {
        let body = if got.line.starts_with("HEAD ") { "" } else { "ok" };
        all.lock().unwrap().push(got);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Reads one request, strictly; none if `stream` ends before it does, or it is none.
pub(crate) async fn read_whole(stream: &mut (impl AsyncRead + Unpin)) -> Option<Got> {
    let head = read_head(stream).await?;
    let mut lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let line = lines.next()?.to_owned();
    let mut fields = lines.map(lower_name).collect::<Option<Vec<_>>>()?;
    let value = |name| fields.iter().find_map(|field| field.strip_prefix(name));
    let body = if value("transfer-encoding: ").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        let (body, trailers) = read_chunks(stream).await?;
        fields.extend(trailers);
        body
    } else {
        let mut body = vec![0; value("content-length: ").map_or(Some(0), |length| length.parse().ok())?];
        stream.read_exact(&mut body).await.ok()?;
        body
    };
    Some(Got { line, fields, body: String::from_utf8(body).ok()? })
}

async fn read_chunks(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Vec<u8>, Vec<String>)> {
    let mut body = Vec::new();
    loop {
        let size = read_line(stream).await?;
        match usize::from_str_radix(size.split(';').next()?, 16).ok()? {
            0 => break,
            size => {
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk).await.ok()?;
                body.extend(chunk.strip_suffix(b"\r\n")?);
            }
        }
    }
    let mut trailers = Vec::new();
    loop {
        match read_line(stream).await? {
            line if line.is_empty() => return Some((body, trailers)),
            line => trailers.push(lower_name(&line)?),
        }
    }
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).ok()
}

fn lower_name(line: &str) -> Option<String> {
    let (name, value) = line.split_once(':')?;
    Some(format!("{}:{value}", name.to_ascii_lowercase()))
}
