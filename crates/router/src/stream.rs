//! The stream below a link: it breaks when the host at its other end is gone without a word.
//!
//! A host that loses its power or its network closes nothing. Silence is questioned: a host that is there answers for
//! its containers, however busy these are. What was sent must be taken in soon, as long as it is small: a container may
//! take its time to read a large body, and that looks the same.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use deis_api::client::Connection;
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// After how long a silence the other end's host is asked, how often, and at which intervals.
const SILENCE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(1);
const QUESTIONS: u32 = 3;

/// How long the other end's host may take to confirm what was sent, and to answer when asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// The stream below a link.
pub(crate) struct Stream {
    connection: Connection,
    haste: Haste,
    is_hasty: bool,
}

/// Whether what is sent next must be taken in soon. Clones say the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Haste(Arc<AtomicBool>);

impl Haste {
    /// Says so from now on.
    pub(crate) fn set(&self, is_hasty: bool) {
        self.0.store(is_hasty, Relaxed);
    }
}

impl Stream {
    /// A stream to `address`; with `tls`, to whom that expects. As hasty as `haste` says.
    pub(crate) async fn connect(
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        timeout: Duration,
        haste: Haste,
    ) -> io::Result<Self> {
        Self::new(tokio::time::timeout(timeout, Connection::open(address, tls)).await??, haste)
    }

    /// The stream over `connection`, as hasty as `haste` says.
    pub(crate) fn new(connection: Connection, haste: Haste) -> io::Result<Self> {
        let questions =
            TcpKeepalive::new().with_time(SILENCE).with_interval(INTERVAL).with_retries(QUESTIONS);
        SockRef::from(&connection).set_tcp_keepalive(&questions)?;
        Ok(Self { connection, haste, is_hasty: false })
    }

    /// Before anything is sent. Costs a system call only when it changes.
    fn hasten(&mut self) -> io::Result<()> {
        let is_hasty = self.haste.0.load(Relaxed);
        if is_hasty != self.is_hasty {
            // None is the system's own patience, which is a quarter of an hour.
            SockRef::from(&self.connection).set_tcp_user_timeout(is_hasty.then_some(PATIENCE))?;
            self.is_hasty = is_hasty;
        }
        Ok(())
    }
}

/// Whether a host is gone, by the error that its connection ended with.
pub(crate) fn is_lost(error: &(dyn std::error::Error + 'static)) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, TimedOut};
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(kind, Some(TimedOut | HostUnreachable | NetworkUnreachable))
    })
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        stream.hasten()?;
        Pin::new(&mut stream.connection).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        stream.hasten()?;
        Pin::new(&mut stream.connection).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn only_what_is_small_must_be_taken_in_soon() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connection = Connection::open(listener.local_addr().unwrap(), None).await.unwrap();
        let haste = Haste::default();
        let mut stream = Stream::new(connection, haste.clone()).unwrap();
        let system = SockRef::from(&stream.connection).tcp_user_timeout().unwrap();
        assert!(SockRef::from(&stream.connection).keepalive().unwrap());
        for (is_hasty, expected) in [(true, Some(PATIENCE)), (false, system), (true, Some(PATIENCE))] {
            haste.set(is_hasty);
            stream.write_all(b"request").await.unwrap();
            assert_eq!(SockRef::from(&stream.connection).tcp_user_timeout().unwrap(), expected);
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("an exchange failed")]
    struct Failed(#[source] io::Error);

    #[test]
    fn a_lost_host_is_told_from_a_container_that_ended() {
        let is_lost = |kind: io::ErrorKind| is_lost(&Failed(kind.into()));
        assert!(is_lost(io::ErrorKind::TimedOut) && is_lost(io::ErrorKind::HostUnreachable));
        assert!(!is_lost(io::ErrorKind::ConnectionReset));
    }
}
