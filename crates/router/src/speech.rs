//! Which HTTP a client speaks, and how far it is listened to.

use std::io;

use bytes::{Bytes, BytesMut};
use hyper::server::conn::http1;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::Limits;

/// What a client begins with who speaks HTTP/2 from the start. Source: RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is read at first: most heads fit in.
const FIRST_BYTES: usize = 4 * 1024;

/// What is read at a time from an HTTP/1 client, and the most that is kept of it.
const BUFFER_BYTES: usize = 64 * 1024;

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
    // Somewhat more than is let in, so that what is too long can be told apart.
    builder.max_header_size(limits.head_bytes.saturating_mul(2).min(BUFFER_BYTES)).max_buf_size(BUFFER_BYTES);
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
