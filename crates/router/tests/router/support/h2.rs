//! Clients that speak HTTP/2: a real one, and one that sends exactly the frames a test wants.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

/// A body to send.
pub(crate) type Outgoing = BoxBody<Bytes, Infallible>;

/// A connection that many requests share.
#[derive(Clone)]
pub(crate) struct H2 {
    sender: SendRequest<Outgoing>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl H2 {
    /// Speaks HTTP/2 without being asked.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    /// The head of the answer to `request`.
    pub(crate) async fn begin(&self, request: Request<Outgoing>) -> hyper::Result<Response<Incoming>> {
        let answer = self.sender.clone().send_request(request);
        tokio::time::timeout(PATIENCE, answer).await.expect("an answer begins in time")
    }

    /// The whole answer to `request`.
    pub(crate) async fn ask(&self, request: Request<Outgoing>) -> hyper::Result<Reply> {
        let (head, body) = self.begin(request).await?.into_parts();
        let collected = tokio::time::timeout(PATIENCE, body.collect()).await.expect("it ends in time")?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let body = collected.to_bytes();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body, trailers })
    }

    pub(crate) async fn get(&self, url: &str) -> Reply {
        self.ask(request(Method::GET, url)).await.unwrap()
    }
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A request without a body.
pub(crate) fn request(method: Method, url: &str) -> Request<Outgoing> {
    let mut request = Request::new(Empty::new().boxed());
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().unwrap();
    request
}

/// A connection on which frames are sent as they are.
pub(crate) struct Frames {
    stream: TcpStream,
}

/// What a client begins with. Source: RFC 9113 section 3.4.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames. Source: RFC 9113 section 6.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags of frames.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// One frame.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frames {
    /// Begins as the server of `stream`.
    pub(crate) async fn accept(mut stream: TcpStream) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let mut frames = Self { stream };
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Connects and sends what a connection begins with.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut frames = Self { stream: TcpStream::connect(address).await.unwrap() };
        frames.stream.write_all(PREFACE).await.unwrap();
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Sends one frame; that the other end has closed already is no error.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let _ = self.stream.write_all(&frame(kind, flags, stream, payload)).await;
    }

    /// The next frame that is not of the connection's settings; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, async {
            loop {
                let mut head = [0; 9];
                self.stream.read_exact(&mut head).await.ok()?;
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; usize::try_from(length).unwrap()];
                self.stream.read_exact(&mut payload).await.ok()?;
                let frame = Frame { kind: head[3], payload };
                if !matches!(frame.kind, SETTINGS | WINDOW_UPDATE) {
                    return Some(frame);
                }
            }
        })
        .await
        .expect("a frame or the end comes in time")
    }

    /// The kinds of frames until the end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut kinds = Vec::new();
        while let Some(frame) = self.next().await {
            kinds.push(frame.kind);
        }
        kinds
    }
}

/// One frame as it is sent.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields in the plainest form of HPACK: literal, not indexed, not compressed. Source: RFC 7541 section 6.2.2.
pub(crate) fn fields(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.extend([0, u8::try_from(name.len()).unwrap()]);
        block.extend(name.as_bytes());
        assert!(value.len() < 127, "longer ones are written otherwise");
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(*value);
    }
    block
}
