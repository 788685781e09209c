//! Letting connections in, and seeing out those that have no right to stay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use deis_runtime::Shutdown;
use russh::Disconnect;
use russh::server::run_stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::config::Limits;
use crate::connection::{Activity, Connection};
use crate::session::{Ends, Workshop};

/// How often a connection is looked at.
const WATCH: Duration = Duration::from_secs(1);

/// Lets connections in, within limits.
pub(crate) struct Door {
    pub(crate) workshop: Workshop,
    pub(crate) ssh: Arc<russh::server::Config>,
    pub(crate) tracker: TaskTracker,
    pub(crate) all: Arc<Semaphore>,
    pub(crate) unauthenticated: Arc<Semaphore>,
    pub(crate) closing: Shutdown,
}

impl Door {
    pub(crate) async fn accept(&self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, client)) => self.admit(stream, client),
                Err(error) => {
                    // Out of file handles, most likely; those that end make room.
                    warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, client: SocketAddr) {
        let permits =
            (self.all.clone().try_acquire_owned(), self.unauthenticated.clone().try_acquire_owned());
        let (Ok(connection), Ok(unauthenticated)) = permits else {
            debug!(%client, "turned a connection away: too many");
            return;
        };
        let Ok(server) = stream.local_addr() else { return };
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        let ends = Ends { client, server };
        let handler = Connection::new(self.workshop.clone(), ends, activity.clone(), unauthenticated);
        let serving = serve(self.ssh.clone(), stream, handler, activity, self.closing.clone(), connection);
        self.tracker.spawn(serving);
    }
}

async fn serve(
    ssh: Arc<russh::server::Config>,
    stream: TcpStream,
    handler: Connection,
    activity: Arc<Activity>,
    closing: Shutdown,
    _permit: OwnedSemaphorePermit,
) {
    let limits = handler.limits();
    let started = tokio::time::timeout(limits.login_grace, run_stream(ssh, stream, handler)).await;
    let Ok(Ok(session)) = started else { return };
    let handle = session.handle();
    tokio::select! {
        ended = session => debug!(?ended, "connection ended"),
        reason = watch(&activity, &limits, closing) => {
            let _ = handle.disconnect(Disconnect::ByApplication, reason.to_owned(), "en".to_owned()).await;
        }
    }
}

/// Returns with the reason when a connection has no right to stay.
async fn watch(activity: &Activity, limits: &Limits, closing: Shutdown) -> &'static str {
    let started = Instant::now();
    let mut used = started;
    loop {
        match closing.is_cancelled() {
            true => tokio::time::sleep(WATCH / 10).await,
            false => drop(closing.run_until_cancelled(tokio::time::sleep(WATCH)).await),
        }
        let authenticated = activity.authenticated.load(Ordering::SeqCst);
        if !authenticated && started.elapsed() >= limits.login_grace {
            return "too slow to authenticate";
        }
        match activity.running.load(Ordering::SeqCst) {
            0 if closing.is_cancelled() => return "the builder is restarting",
            0 if used.elapsed() >= limits.idle => return "nothing was asked for",
            0 => {}
            _ => used = Instant::now(),
        }
    }
}
