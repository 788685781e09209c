//! How HTTP/2 begins: told from all else at the first byte that differs, with nothing lost.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::library::finish;
use crate::framing::Framing;
use crate::speech::first_bytes;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that come in pieces.
struct Pieces<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (piece, rest) = self.bytes.split_at(self.size.min(self.bytes.len()).min(buffer.remaining()));
        buffer.put_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

pub(super) fn check(bytes: &[u8]) {
    for size in [1, 5, 24, usize::MAX] {
        let mut pieces = Pieces { bytes, size };
        let read = finish(first_bytes(&mut pieces)).expect("nothing waits");
        let (read, is_http_2) = read.expect("nothing breaks");
        assert_eq!([&read[..], pieces.bytes].concat(), bytes, "in pieces of {size}");
        assert_eq!(is_http_2, bytes.starts_with(PREFACE), "in pieces of {size}");
    }
    let mut framing = Framing::default();
    framing.feed(bytes);
    assert!(framing.is_http_2() || !bytes.starts_with(PREFACE));
    let mut framing = Framing::http_1();
    framing.feed(bytes);
    assert!(!framing.is_http_2());
}
