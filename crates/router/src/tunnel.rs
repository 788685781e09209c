//! Bytes both ways between two streams, each end of which may close its half first.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes were carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// That the one end sent.
    pub(crate) from_a: u64,
    /// That the other did.
    pub(crate) from_b: u64,
}

/// Carries bytes between `a` and `b` until both have closed, one breaks, or nothing has moved for `idle`.
pub(crate) async fn run(
    a: impl AsyncRead + AsyncWrite + Unpin,
    b: impl AsyncRead + AsyncWrite + Unpin,
    idle: Duration,
) -> Carried {
    let (from_a, from_b) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (mut a, mut b) = (counted(a, &from_a), counted(b, &from_b));
    let carried = || Carried { from_a: from_a.load(Relaxed), from_b: from_b.load(Relaxed) };
    let mut copy = pin!(tokio::io::copy_bidirectional(&mut a, &mut b));
    let mut before = carried();
    loop {
        tokio::select! {
            // How it ended is for the two ends to know.
            _ = &mut copy => return carried(),
            () = tokio::time::sleep(idle) => {}
        }
        if carried() == before {
            return before;
        }
        before = carried();
    }
}

/// `stream`, which counts in `bytes` what is read from it.
fn counted<S: AsyncRead + AsyncWrite>(
    stream: S,
    bytes: &Arc<AtomicU64>,
) -> impl AsyncRead + AsyncWrite + Unpin {
    let (reading, writing) = tokio::io::split(stream);
    tokio::io::join(Counted { stream: reading, bytes: Arc::clone(bytes) }, writing)
}

/// A stream that counts what is read from it.
struct Counted<S> {
    stream: S,
    bytes: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.bytes.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_half_that_is_closed_leaves_the_other_open() {
        let (mut client, a) = tokio::io::duplex(64);
        let (mut server, b) = tokio::io::duplex(64);
        let tunnel = tokio::spawn(run(a, b, Duration::from_secs(60)));
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        server.read_to_string(&mut question).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        server.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(tunnel.await.unwrap(), Carried { from_a: 8, from_b: 6 });
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    }

    #[tokio::test]
    async fn a_tunnel_in_which_nothing_moves_ends() {
        let (_client, a) = tokio::io::duplex(64);
        let (_server, b) = tokio::io::duplex(64);
        run(a, b, Duration::from_millis(10)).await;
    }
}
