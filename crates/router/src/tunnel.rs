//! Bytes both ways between two streams, each end of which may close its half first.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Carries bytes between `a` and `b` until both have closed, one breaks, or nothing has moved for `idle`.
pub(crate) async fn run(
    a: impl AsyncRead + AsyncWrite + Unpin,
    b: impl AsyncRead + AsyncWrite + Unpin,
    idle: Duration,
) {
    let moved = Arc::new(AtomicBool::new(false));
    let (mut a, mut b) = (noticed(a, &moved), noticed(b, &moved));
    let mut copy = pin!(tokio::io::copy_bidirectional(&mut a, &mut b));
    loop {
        tokio::select! {
            // How it ended is for the two ends to know.
            _ = &mut copy => return,
            () = tokio::time::sleep(idle) => if !moved.swap(false, Relaxed) { return },
        }
    }
}

/// `stream`, which notes when something was read from it.
fn noticed<S: AsyncRead + AsyncWrite>(
    stream: S,
    moved: &Arc<AtomicBool>,
) -> impl AsyncRead + AsyncWrite + Unpin {
    let (reading, writing) = tokio::io::split(stream);
    tokio::io::join(Noticed { stream: reading, moved: Arc::clone(moved) }, writing)
}

/// A stream that notes when something was read from it.
struct Noticed<S> {
    stream: S,
    moved: Arc<AtomicBool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.moved.store(true, Relaxed);
        }
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
        tunnel.await.unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    }

    #[tokio::test]
    async fn a_tunnel_in_which_nothing_moves_ends() {
        let (_client, a) = tokio::io::duplex(64);
        let (_server, b) = tokio::io::duplex(64);
        run(a, b, Duration::from_millis(10)).await;
    }
}
