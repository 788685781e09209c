//! Between git and a client: bytes both ways, until git ends, the client leaves or nothing happens any more.

use std::io;
use std::time::Duration;

use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::command::Service;
use crate::session::STDERR;

/// How much is moved at once.
const BUFFER: usize = 32 * 1024;

/// Moving bytes between git and a client.
pub(crate) struct Attendance {
    /// Cancelled when the client leaves.
    left: CancellationToken,
    /// Notified of every byte. Git itself sends some every five seconds while a push is built.
    pulse: Notify,
    /// How long there may be none.
    stalled: Duration,
}

impl Attendance {
    /// An attendance that cancels `left` when the client leaves, and ends after `stalled` without a byte.
    pub(crate) fn new(left: CancellationToken, stalled: Duration) -> Self {
        Self { left, pulse: Notify::new(), stalled }
    }

    /// Attends to git until it ends; returns its status.
    ///
    /// When the client leaves, a fetch is stopped; a push is told so and goes on to its end.
    pub(crate) async fn run(
        &self,
        mut child: Child,
        service: Service,
        reading: ChannelReadHalf,
        writing: &ChannelWriteHalf<Msg>,
    ) -> io::Result<u32> {
        let stdin = child.stdin.take().expect("it was asked for");
        let stdout = child.stdout.take().expect("it was asked for");
        let stderr = child.stderr.take().expect("it was asked for");
        let outputs = async {
            tokio::join!(
                self.relay(stdout, writing.make_writer()),
                self.relay(stderr, writing.make_writer_ext(Some(STDERR))),
            );
        };
        let input = async {
            self.feed(reading, stdin).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = outputs => {}
            () = input => {}
            () = self.stopped(service) => child.start_kill()?,
        }
        let status = child.wait().await?;
        debug!(?status, "git ended");
        Ok(status.code().and_then(|code| u32::try_from(code).ok()).unwrap_or(1))
    }

    /// Returns when git is to be killed.
    async fn stopped(&self, service: Service) {
        loop {
            tokio::select! {
                () = self.left.cancelled(), if service == Service::UploadPack => return,
                beat = tokio::time::timeout(self.stalled, self.pulse.notified()) => {
                    if beat.is_err() {
                        self.left.cancel();
                        return;
                    }
                }
            }
        }
    }

    /// Hands the client's bytes to git, and notices when the client leaves.
    async fn feed(&self, mut reading: ChannelReadHalf, stdin: ChildStdin) {
        let mut stdin = Some(stdin);
        loop {
            match reading.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    self.pulse.notify_one();
                    if let Some(open) = &mut stdin
                        && open.write_all(&data).await.is_err()
                    {
                        stdin = None;
                    }
                }
                Some(ChannelMsg::Eof) => stdin = None,
                Some(ChannelMsg::Close) | None => break,
                Some(_) => {}
            }
        }
        self.left.cancel();
    }

    /// Hands git's bytes to the client; without a client they are dropped, so that git never waits.
    async fn relay(&self, mut from: impl AsyncRead + Unpin, to: impl AsyncWrite) {
        let mut to = std::pin::pin!(to);
        let mut buffer = vec![0; BUFFER];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            self.pulse.notify_one();
            tokio::select! {
                _ = to.write_all(&buffer[..length]) => {}
                () = self.left.cancelled() => {}
            }
        }
    }
}
