//! What a connection that is passed on shows of its container: one that says something is well, one that closes it at
//! once without a word is not. Accepting shows nothing: what listens for a process may be well when that is not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// After this a container counts as well although it has said nothing: some only listen.
const LONG: Duration = Duration::from_secs(1);

/// How a container shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showing {
    /// It says something, or stays.
    Well,
    /// It closes the connection at once.
    Unwell,
}

/// A connection to a container, about which `judge` is told once, if there is anything to tell.
pub(super) struct Trial<S, J> {
    stream: S,
    judge: Option<J>,
    begun: Instant,
    /// Whether the client closed its half: that the container does so, too, says nothing.
    is_left: bool,
}

impl<S, J: FnOnce(Showing)> Trial<S, J> {
    /// Tells `judge` what `stream`, which the container has just accepted, shows.
    pub(super) fn new(stream: S, judge: J) -> Self {
        Self { stream, judge: Some(judge), begun: Instant::now(), is_left: false }
    }

    fn show(&mut self, showing: Showing) {
        if let Some(judge) = self.judge.take() {
            judge(showing);
        }
    }

    fn has_ended(&mut self) {
        if self.begun.elapsed() >= LONG {
            self.show(Showing::Well);
        } else if !self.is_left {
            self.show(Showing::Unwell);
        }
    }

    fn written<T>(&mut self, outcome: io::Result<T>) -> Poll<io::Result<T>> {
        if outcome.is_err() {
            self.has_ended();
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncRead + Unpin, J: FnOnce(Showing) + Unpin> AsyncRead for Trial<S, J> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.show(Showing::Well);
        } else {
            self.has_ended();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin, J: FnOnce(Showing) + Unpin> AsyncWrite for Trial<S, J> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.written(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_flush(context));
        self.written(outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_left = true;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    /// What is told of a container that does as `container` does, to a client that does as `client` does.
    async fn shown(
        container: impl AsyncFnOnce(&mut DuplexStream),
        client: impl AsyncFnOnce(&mut Trial<DuplexStream, &dyn Fn(Showing)>),
    ) -> Option<Showing> {
        let shown = Cell::new(None);
        let judge = |showing| shown.set(Some(showing));
        let (mut end, stream) = tokio::io::duplex(64);
        let mut trial = Trial::new(stream, &judge as &dyn Fn(Showing));
        container(&mut end).await;
        client(&mut trial).await;
        drop(end);
        let _ = trial.read(&mut [0; 8]).await;
        shown.get()
    }

    #[tokio::test]
    async fn only_a_container_that_closes_without_a_word_is_unwell() {
        let says = async |end: &mut DuplexStream| end.write_all(b"hello").await.unwrap();
        let closes = async |end: &mut DuplexStream| end.shutdown().await.unwrap();
        assert_eq!(shown(says, async |_| ()).await, Some(Showing::Well));
        assert_eq!(shown(closes, async |_| ()).await, Some(Showing::Unwell));
    }

    #[tokio::test]
    async fn a_client_that_leaves_says_nothing_of_the_container() {
        let leaves =
            async |trial: &mut Trial<DuplexStream, &dyn Fn(Showing)>| trial.shutdown().await.unwrap();
        let closes = async |end: &mut DuplexStream| end.shutdown().await.unwrap();
        assert_eq!(shown(closes, leaves).await, None);
        let answers = async |end: &mut DuplexStream| end.write_all(b"answer").await.unwrap();
        assert_eq!(shown(answers, leaves).await, Some(Showing::Well));
    }

    #[tokio::test]
    async fn a_container_that_only_listens_is_well_when_it_stayed() {
        let shown = Cell::new(None);
        let (end, stream) = tokio::io::duplex(64);
        let mut trial = Trial::new(stream, |showing| shown.set(Some(showing)));
        trial.begun = Instant::now().checked_sub(LONG).expect("the system has been up for a second");
        drop(end);
        assert!(trial.write_all(b"unread").await.is_err());
        assert_eq!(shown.get(), Some(Showing::Well));
    }
}
