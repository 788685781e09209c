//! An app that keeps what it is sent, byte for byte, and how it reads that.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::io::InspectReader;

use super::super::conformance::{Got, read_whole};
use crate::support::App;

/// An app that answers every whole request with 200. Ends when dropped.
pub(super) struct Recorder {
    app: App,
    taken: Arc<Mutex<Taken>>,
}

/// What it was sent.
#[derive(Default)]
pub(super) struct Taken {
    /// Whole requests, in the order in which they ended.
    pub(super) requests: Vec<Recorded>,
    /// What connections ended with that was no whole request.
    pub(super) parts: Vec<Vec<u8>>,
}

/// One request.
pub(super) struct Recorded {
    /// All of it, as it came.
    pub(super) bytes: Vec<u8>,
    /// What it is.
    pub(super) reading: Reading,
}

/// What one who reads a request takes it for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Method and target, as in `GET /in`.
    asked: String,
    host: Option<String>,
    body: String,
}

impl Recorder {
    pub(super) async fn start() -> Self {
        let taken = Arc::<Mutex<Taken>>::default();
        let app = App::raw({
            let taken = Arc::clone(&taken);
            move |_, stream| record(stream, Arc::clone(&taken))
        })
        .await;
        Self { app, taken }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// Takes what there is since it was asked last.
    pub(super) fn take(&self) -> Taken {
        std::mem::take(&mut *self.taken.lock().unwrap())
    }

    /// The same of requests, as they are read.
    pub(super) fn readings(&self) -> Vec<Reading> {
        self.take().requests.into_iter().map(|recorded| recorded.reading).collect()
    }
}

impl Reading {
    pub(super) fn of(got: &Got) -> Self {
        let (asked, _version) = got.line.rsplit_once(' ').unwrap_or((&got.line, ""));
        let host = got.fields.iter().find_map(|field| field.strip_prefix("host: "));
        Self { asked: asked.to_owned(), host: host.map(str::to_owned), body: got.body.clone() }
    }

    /// Whether it is the one that comes after all others.
    pub(super) fn is_last(&self) -> bool {
        self.asked == "GET /last"
    }
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?} in \"{}\"", self.reading, self.bytes.escape_ascii())
    }
}

async fn record(mut stream: TcpStream, taken: Arc<Mutex<Taken>>) {
    let (reader, mut writer) = stream.split();
    let seen = Mutex::new(Vec::new());
    let mut reader = InspectReader::new(reader, |bytes: &[u8]| seen.lock().unwrap().extend_from_slice(bytes));
    loop {
        let got = read_whole(&mut reader).await;
        let bytes = std::mem::take(&mut *seen.lock().unwrap());
        let Some(got) = got else {
            taken.lock().unwrap().parts.extend((!bytes.is_empty()).then_some(bytes));
            return;
        };
        let body = if got.line.starts_with("HEAD ") { "" } else { "ok" };
        taken.lock().unwrap().requests.push(Recorded { bytes, reading: Reading::of(&got) });
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}");
        let _ = writer.write_all(answer.as_bytes()).await;
    }
}
