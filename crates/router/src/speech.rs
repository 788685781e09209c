//! Which HTTP a client speaks, and how far it is listened to.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::Limits;

/// What a client begins with who speaks HTTP/2 from the start. Source: RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is read at first: most heads fit in.
const FIRST_BYTES: usize = 4 * 1024;

/// What is read at a time from an HTTP/1 client, and the most that is kept of it.
const BUFFER_BYTES: usize = 64 * 1024;

/// Requests at a time over one HTTP/2 connection.
const STREAMS: u32 = 128;

/// How much of one body an HTTP/2 client may send before any of it was passed on: enough to fill a fast and distant
/// line. What a slow app does not take in waits with its client.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same of all bodies of one connection: so much more that a few slow ones leave room for others.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;

/// How much of one answer waits for its client. A client that reads nothing makes the router keep this for each stream:
/// 2 MiB in all.
const SEND_BUFFER: usize = 16 * 1024;

/// Requests that the client took back before they were looked at, and those that were refused, until the connection
/// is given up: what a rapid reset attack consists of.
const RESETS: usize = 32;

/// How long an HTTP/2 client says nothing before it is asked whether it is still there, and how long it may take to
/// answer.
const SILENCE: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(20);

/// What is known of a connection before its first byte is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// It speaks HTTP/1: that was agreed on, or it has begun to, or nothing else is allowed.
    Http1,
    /// It speaks HTTP/2, as was agreed on.
    Http2,
    /// Its first bytes tell.
    Unknown,
}

/// Reads until it is sure whether a client speaks HTTP/2 from the start: what was read, and whether it does.
///
/// Nothing is read twice: whoever goes on gets these bytes first.
pub(crate) async fn first_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Bytes, bool)> {
    let mut bytes = BytesMut::with_capacity(FIRST_BYTES);
    while stream.read_buf(&mut bytes).await? > 0 {
        let length = bytes.len().min(PREFACE.len());
        if bytes[..length] != PREFACE[..length] {
            break;
        }
        if length == PREFACE.len() {
            return Ok((bytes.freeze(), true));
        }
    }
    Ok((bytes.freeze(), false))
}

/// What serves HTTP/1.0 and 1.1.
pub(crate) fn http_1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_header_size(limits.head_bytes).max_buf_size(BUFFER_BYTES);
    builder
}

/// What serves HTTP/2. The library itself bounds how many pieces a head may come in, and how many pings, settings and
/// empty frames a connection may bring.
pub(crate) fn http_2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .enable_connect_protocol()
        .timer(TokioTimer::new())
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(ANSWER);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Context, Poll};

    use http_body::{Body, Frame};
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt;

    /// Sends `text` byte by byte and the end.
    async fn check(text: &str, expected: (&str, bool)) {
        let (mut client, mut server) = tokio::io::duplex(1);
        let text = text.to_owned();
        let sending = tokio::spawn(async move {
            // It is not read to its end.
            let _ = client.write_all(text.as_bytes()).await;
        });
        let (bytes, is_http_2) = first_bytes(&mut server).await.unwrap();
        drop(server);
        sending.await.unwrap();
        assert_eq!((std::str::from_utf8(&bytes).unwrap(), is_http_2), expected);
    }

    /// An endless answer, of which so many bytes have been taken.
    struct Endless(Arc<AtomicUsize>);

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.fetch_add(1024, Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1024])))))
        }
    }

    /// What a client sends that asks for `/` this often, gives leave to send much, and reads nothing.
    fn greedy(streams: u32) -> Vec<u8> {
        let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[0, 0, length, kind, flags][..], &stream.to_be_bytes(), payload].concat()
        };
        let much = 0x3fff_ffff_u32.to_be_bytes();
        let window = [&[0, 4][..], &much].concat();
        // `GET`, `http` and `/`, which have short names. Source: RFC 7541 appendix A.
        let head = [0x82, 0x86, 0x84];
        let mut bytes = [PREFACE, &frame(4, 0, 0, &window), &frame(8, 0, 0, &much)].concat();
        bytes.extend((0..streams).flat_map(|number| frame(1, 5, 2 * number + 1, &head)));
        bytes
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_makes_little_be_kept() {
        const STREAMS: u32 = 16;
        let taken = Arc::new(AtomicUsize::new(0));
        let (mut client, server) = tokio::io::duplex(1024);
        let service = service_fn(|_| {
            let body = Endless(Arc::clone(&taken));
            async { Ok::<_, Infallible>(http::Response::new(body)) }
        });
        let serving = http_2(&Limits::default()).serve_connection(TokioIo::new(server), service);
        let asking = async {
            client.write_all(&greedy(STREAMS)).await.unwrap();
            // All happens on this thread: whatever can go on has done so by then.
            for _ in 0..10_000 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = serving => panic!("{ended:?}"),
            () = asking => {}
        }
        let (taken, all) = (taken.load(Relaxed), 16 * 1024 * 16);
        assert!(taken >= all / 2 && taken <= all * 2, "{taken}");
    }

    #[tokio::test]
    async fn http_2_is_known_by_its_first_bytes() {
        check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true)).await;
        check("GET / HTTP/1.1\r\n", ("G", false)).await;
        check("PROPFIND / HTTP/1.1\r\n", ("PRO", false)).await;
        check("PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", ("PRI * HTTP/2.0\r\n\r\nSN", false)).await;
        check("PRI", ("PRI", false)).await;
        check("", ("", false)).await;
    }
}
