//! Listening for what other processes change.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::broadcast::Sender;
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::{ANSWER_TIMEOUT, Postgres, Primary, SEARCH_PAUSE};
use crate::change::{CHANNEL, Change};

/// How often a silent connection is asked whether it still is one.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long to search for the primary before saying so in the log.
const SEARCH: Duration = Duration::from_secs(10);

/// Sends the changes of all processes to `sender`, and [`Change::All`] whenever some may have been missed.
///
/// Also what notices first that the primary is gone.
pub(crate) async fn listen(server: Arc<Postgres>, sender: Sender<Change>) {
    loop {
        let primary = match server.primary(Instant::now() + SEARCH).await {
            Ok(primary) => primary,
            Err(error) => {
                debug!(error = %error, "still no database to listen to");
                continue;
            }
        };
        let error = follow(&primary, &sender).await;
        server.forget(&primary, &error.to_string());
        tokio::time::sleep(SEARCH_PAUSE).await;
    }
}

/// Passes notifications on until the connection fails.
async fn follow(primary: &Primary, sender: &Sender<Change>) -> sqlx::Error {
    let lost = || sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let mut listener = match start(primary).await {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    // Nobody need be there to hear it.
    let _ = sender.send(Change::All);
    loop {
        match timeout(HEARTBEAT, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => drop(sender.send(Change::read(notification.payload()))),
            Ok(Ok(None)) => return lost(),
            Ok(Err(error)) => return error,
            Err(_) => match timeout(ANSWER_TIMEOUT, sqlx::query("SELECT 1").execute(&mut listener)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error,
                Err(_) => return lost(),
            },
        }
    }
}

async fn start(primary: &Primary) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(&primary.pool_of_one()).await?;
    // A connection made behind our back would miss changes without a word.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
