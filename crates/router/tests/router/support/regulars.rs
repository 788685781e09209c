//! Visitors who stay: on kept connections, over TLS and HTTP/2, with slow uploads and WebSockets. They act by the protocol,
//! and expect that nothing fails.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::Broken;
use super::h2::{self, H2};
use super::{Client, Visitor, read_head};

/// Visitors of each kind.
const EACH: usize = 3;

/// Requests at a time on one connection of HTTP/2.
const STREAMS: usize = 8;

/// What an upload consists of: so many pieces of so many bytes, with a pause after each.
const PIECES: usize = 20;
const PIECE_BYTES: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(50);

/// Frames of WebSockets: a message as servers and clients send it, and how clients answer one that says goodbye.
const MESSAGE: [u8; 4] = [0x81, 2, b'h', b'i'];
const MASKED: [u8; 8] = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
const GOODBYE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// Visitors of the app `blog`, and of `talk`, which holds WebSockets.
pub(crate) struct Regulars {
    here: Arc<Here>,
    visitors: JoinSet<Result<(), String>>,
}

/// What all of them know.
struct Here {
    http: SocketAddr,
    https: SocketAddr,
    visitor: Visitor,
    is_over: AtomicBool,
    /// By kind: what succeeded.
    done: [AtomicUsize; 5],
}

impl Regulars {
    /// Comes to the router at these addresses, as one who trusts what `visitor` trusts.
    pub(crate) fn start(http: SocketAddr, https: SocketAddr, visitor: &Visitor) -> Self {
        let (is_over, done) = (AtomicBool::default(), Default::default());
        let here = Arc::new(Here { http, https, visitor: visitor.clone(), is_over, done });
        let mut visitors = JoinSet::new();
        for _ in 0..EACH {
            visitors.spawn(Arc::clone(&here).stay(0, async |here| here.open().await));
            visitors.spawn(Arc::clone(&here).stay(1, async |here| here.open_secured().await));
            visitors.spawn(Arc::clone(&here).share());
            visitors.spawn(Arc::clone(&here).upload());
            visitors.spawn(Arc::clone(&here).talk());
        }
        Self { here, visitors }
    }

    /// Waits until visitors of every kind have succeeded some times more, or one of them has not.
    pub(crate) async fn come(&mut self) {
        let counts = |here: &Here| here.done.each_ref().map(|done| done.load(SeqCst));
        let (here, before) = (Arc::clone(&self.here), counts(&self.here));
        let more = move || counts(&here).iter().zip(&before).all(|(now, before)| *now >= before + 2 * EACH);
        tokio::select! {
            () = super::until(more) => {}
            Some(ended) = self.visitors.join_next() => ended.expect("visitors do not panic").expect("nothing fails"),
        }
    }

    /// Lets everybody leave.
    pub(crate) async fn end(mut self) {
        self.here.is_over.store(true, SeqCst);
        while let Some(ended) = self.visitors.join_next().await {
            ended.expect("visitors do not panic").expect("nothing fails");
        }
    }
}

impl Here {
    fn goes_on(&self) -> bool {
        !self.is_over.load(SeqCst)
    }

    fn tell(&self, kind: usize) {
        self.done[kind].fetch_add(1, SeqCst);
    }

    async fn open(&self) -> Client {
        Client::connect(self.http).await
    }

    async fn open_secured(&self) -> Client {
        self.visitor.client(self.https, "blog.example.com").await
    }

    /// Asks on a connection until that is closed, and then on another.
    async fn stay<F>(self: Arc<Self>, kind: usize, open: impl Fn(Arc<Self>) -> F) -> Result<(), String>
    where
        F: Future<Output = Client>,
    {
        while self.goes_on() {
            let (mut client, mut is_kept) = (open(Arc::clone(&self)).await, false);
            while self.goes_on() {
                match client.try_ask("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await {
                    Ok(answer) if answer.status == 200 && answer.text() == "blog" => {
                        self.tell(kind);
                        is_kept = true;
                        if answer.header("connection") == Some("close") {
                            break;
                        }
                    }
                    // Closed while nothing was under way. Source: RFC 9112 section 9.3.1.
                    Err(Broken::Before) if is_kept => break,
                    instead => return Err(format!("kept connection {kind}: {instead:?}")),
                }
            }
        }
        Ok(())
    }

    /// Asks many things at a time on one connection until the other end says that it goes away, and then on another.
    async fn share(self: Arc<Self>) -> Result<(), String> {
        while self.goes_on() {
            let stream = self.visitor.speaking_h2().open(self.https, "blog.example.com").await;
            let connection = H2::over(stream.map_err(|error| error.to_string())?).await;
            let streams = (0..STREAMS).map(|_| self.ask_on(&connection));
            futures::future::try_join_all(streams).await?;
        }
        Ok(())
    }

    async fn ask_on(&self, connection: &H2) -> Result<(), String> {
        while self.goes_on() {
            match connection.ask(h2::request(Method::GET, "https://blog.example.com/")).await {
                Ok(reply) if reply.status == 200 && reply.text() == "blog" => self.tell(2),
                Ok(reply) => return Err(format!("answered {} over HTTP/2", reply.status)),
                Err(error) if is_unprocessed(&error) => return Ok(()),
                Err(error) => return Err(format!("over HTTP/2: {error:?}")),
            }
        }
        Ok(())
    }

    async fn upload(self: Arc<Self>) -> Result<(), String> {
        let length = PIECES * PIECE_BYTES;
        while self.goes_on() {
            let mut client = self.open().await;
            let head =
                format!("POST /sink HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: {length}\r\n\r\n");
            client.send(head).await;
            for _ in 0..PIECES {
                client.send([b'x'; PIECE_BYTES]).await;
                tokio::time::sleep(PAUSE).await;
            }
            match client.try_answer().await {
                Some(answer) if answer.status == 200 && answer.text() == length.to_string() => self.tell(3),
                instead => return Err(format!("an upload: {instead:?}")),
            }
        }
        Ok(())
    }

    /// Speaks and is answered until the other end says goodbye, and then with another.
    async fn talk(self: Arc<Self>) -> Result<(), String> {
        while self.goes_on() {
            let mut client = self.open().await;
            client
                .send(
                    "GET / HTTP/1.1\r\nHost: talk.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                )
                .await;
            let head = client.head().await;
            if head.as_ref().is_none_or(|head| head.status != 101) {
                return Err(format!("a WebSocket: {head:?}"));
            }
            while self.goes_on() {
                client.send(MASKED).await;
                match client.exactly(MESSAGE.len()).await {
                    Some(frame) if frame == MESSAGE => self.tell(4),
                    // Goodbyes with a status are as long. Source: RFC 6455 section 5.5.1.
                    Some(frame) if frame[..2] == [0x88, 2] => {
                        client.send(GOODBYE).await;
                        break;
                    }
                    instead => return Err(format!("on a WebSocket: {instead:?}")),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }
}

/// Whether a request has not been looked at, so that it may be sent again. Source: RFC 9113 section 8.7.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let told = std::error::Error::source(error).and_then(|source| source.downcast_ref::<::h2::Error>());
    let is_refused = |told: &::h2::Error| {
        let has_left = told.is_go_away() && told.is_remote() && told.reason() == Some(::h2::Reason::NO_ERROR);
        has_left || told.reason() == Some(::h2::Reason::REFUSED_STREAM)
    };
    // What was never sent is canceled.
    error.is_canceled() || error.is_closed() || told.is_some_and(is_refused)
}

/// What the app `talk` does with a connection: it sends every message back until it hears a goodbye, which it answers.
pub(crate) async fn send_back(mut stream: TcpStream) {
    if read_head(&mut stream).await.is_none() {
        return;
    }
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let _ = stream.write_all(agreed.as_bytes()).await;
    let mut frame = [0; MASKED.len()];
    while stream.read_exact(&mut frame).await.is_ok() && frame == MASKED {
        let _ = stream.write_all(&MESSAGE).await;
    }
    let _ = stream.write_all(&[0x88, 2, 0x03, 0xe9]).await;
}
