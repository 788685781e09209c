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

/// How much of one answer waits for its client.
const SEND_BUFFER: usize = 128 * 1024;

/// Requests that the client took back before they were looked at, and those that were refused, until the connection
/// is given up: what a rapid reset attack consists of.
const RESETS: usize = 32;

/// How long an HTTP/2 client says nothing before it is asked whether it is still there, and how long it may take to
/// answer.
const SILENCE: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(20);

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
