//! Letting connections in, and seeing out those that have no right to stay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use deis_runtime::Shutdown;
use deis_runtime::proxy_protocol::{self, Origin, ReadError};
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

/// How long to wait for the first word of a client. Routers and nearly all clients say it at once.
const GREETING: Duration = Duration::from_secs(10);

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

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let permits =
            (self.all.clone().try_acquire_owned(), self.unauthenticated.clone().try_acquire_owned());
        let (Ok(connection), Ok(unauthenticated)) = permits else {
            debug!(%peer, "turned a connection away: too many");
            return;
        };
        let Ok(server) = stream.local_addr() else { return };
        let _ = stream.set_nodelay(true);
        let (workshop, ssh, closing) = (self.workshop.clone(), self.ssh.clone(), self.closing.clone());
        self.tracker.spawn(async move {
            let ends = Ends { client: peer, server };
            let greeted = closing.run_until_cancelled(greet(&workshop, stream, ends)).await;
            let Some((stream, ends)) = greeted.flatten() else { return };
            let activity = Arc::new(Activity::default());
            let handler = Connection::new(workshop, ends, activity.clone(), unauthenticated);
            serve(ssh, stream, handler, activity, closing, connection).await;
        });
    }
}

/// Who is at the other end: what a router in front says, or who connected. None if nobody is to be served.
async fn greet(workshop: &Workshop, mut stream: TcpStream, ends: Ends) -> Option<(TcpStream, Ends)> {
    let settings = &workshop.platform.settings;
    let (routers, patience) = (&settings.routers, settings.limits.login_grace.min(GREETING));
    match tokio::time::timeout(patience, announcement(&mut stream)).await {
        // It has nothing to say before this server has: then it is no router.
        Err(_elapsed) => Some((stream, ends)),
        Ok(Ok(Some(Origin::Passed { source, destination }))) if routers.are_at(ends.client.ip()) => {
            Some((stream, Ends { client: source, server: destination }))
        }
        Ok(Ok(announced)) => {
            if announced.is_some_and(|origin| origin != Origin::Own) {
                warn!(peer = %ends.client, "somebody who is no router of this platform names another as client");
            }
            Some((stream, ends))
        }
        Ok(Err(error)) => {
            debug!(peer = %ends.client, %error, "turned a connection away");
            None
        }
    }
}

/// What a router says of the connection, before SSH begins.
async fn announcement(stream: &mut TcpStream) -> Result<Option<Origin>, ReadError> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        1 if proxy_protocol::begins_with(first[0]) => proxy_protocol::read(stream).await.map(Some),
        _ => Ok(None),
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
