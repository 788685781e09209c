//! What the HTTP library makes of bytes, all of which are there from the start.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1 as client;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;

use crate::config::Limits;
use crate::speech;

/// How often whatever waits is asked again. Nothing here waits for anything but itself.
const TURNS: usize = 10_000;

/// How often the end of a connection is asked for before it comes.
const PATIENCE: usize = 16;

/// A request that the library found.
pub(crate) struct Seen {
    /// Its method.
    pub(crate) method: String,
    /// Its path and query; empty if it has none.
    pub(crate) path: String,
    /// The length of its body, once all of it was there.
    pub(crate) body_bytes: Option<u64>,
}

/// An answer that the library found.
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: u16,
    /// The length of its body, if all of it was there.
    pub(crate) body_bytes: Option<u64>,
}

/// The requests that `bytes` are, up to one that it refuses; read as the router reads clients.
pub(crate) fn requests(bytes: &[u8]) -> Vec<Seen> {
    let seen = RefCell::new(Vec::new());
    let service = service_fn(async |request: Request<hyper::body::Incoming>| {
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let method = request.method().to_string();
        seen.borrow_mut().push(Seen { method, path, body_bytes: None });
        if let (Some(length), Some(last)) = (length(request.into_body()).await, seen.borrow_mut().last_mut())
        {
            last.body_bytes = Some(length);
        }
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let stream = Canned::new(bytes, true);
    let _ = finish(speech::http_1(&Limits::default()).serve_connection(stream, service));
    seen.into_inner()
}

/// The answer that `bytes` are to a request, if the library takes them for one.
pub(crate) fn answer(bytes: &[u8], is_head: bool) -> Option<Reply> {
    // Nothing may come before it is asked for.
    let stream = Canned::new(bytes, false);
    let asking = async {
        let (mut sender, connection) = client::handshake(stream).await.ok()?;
        let method = if is_head { "HEAD" } else { "GET" };
        let request =
            Request::builder().method(method).uri("/").header("host", "a").body(Empty::<Bytes>::new());
        let answered = async move {
            let response = sender.send_request(request.ok()?).await.ok()?;
            let status = response.status().as_u16();
            Some(Reply { status, body_bytes: length(response.into_body()).await })
        };
        let (answered, mut connection) = (pin!(answered), pin!(connection));
        let mut answered = answered;
        std::future::poll_fn(|context| {
            let _ = connection.as_mut().poll(context);
            answered.as_mut().poll(context)
        })
        .await
    };
    finish(asking).flatten()
}

async fn length(mut body: impl Body<Data = Bytes> + Unpin) -> Option<u64> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.ok()?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Some(length)
}

/// What `future` comes to; none if it waits for something that never comes.
pub(crate) fn finish<T>(future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    for _ in 0..TURNS {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Some(done);
        }
    }
    None
}

/// A connection over which nothing more will come than is there.
struct Canned {
    bytes: Bytes,
    /// Whether anything can be read yet: after something was written.
    is_open: bool,
    /// How often the end is still held back: who hears of it drops requests that it has not begun to serve.
    patience: usize,
}

impl Canned {
    fn new(bytes: &[u8], is_open: bool) -> Self {
        Self { bytes: Bytes::copy_from_slice(bytes), is_open, patience: PATIENCE }
    }
}

impl Read for Canned {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let is_at_end = self.is_open && self.bytes.is_empty();
        self.patience -= usize::from(is_at_end && self.patience > 0);
        if !self.is_open || (is_at_end && self.patience > 0) {
            return Poll::Pending;
        }
        let length = self.bytes.len().min(buffer.remaining());
        buffer.put_slice(&self.bytes[..length]);
        self.bytes.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl Write for Canned {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_open = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_follow_each_other_are_seen() {
        let bytes =
            b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2?x HTTP/1.1\r\nHost: a\r\n\r\n";
        let seen = requests(bytes);
        let shown: Vec<_> =
            seen.iter().map(|one| (one.method.as_str(), one.path.as_str(), one.body_bytes)).collect();
        assert_eq!(shown, [("POST", "/1", Some(2)), ("GET", "/2?x", Some(0))]);
        let cut = requests(&bytes[..49]);
        assert_eq!(cut.first().map(|one| one.body_bytes), Some(None));
    }

    #[test]
    fn answers_are_seen_whole_or_cut() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let reply = answer(bytes, false).unwrap();
        assert_eq!((reply.status, reply.body_bytes), (200, Some(2)));
        assert_eq!(answer(bytes, true).and_then(|reply| reply.body_bytes), Some(0));
        assert_eq!(answer(&bytes[..bytes.len() - 1], false).map(|reply| reply.body_bytes), Some(None));
        assert!(answer(b"garbage", false).is_none());
    }
}
