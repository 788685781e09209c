//! Tells operators when the store is away, and when it is back.

use crate::{layout, state::State};
use deis_store::StoreError;
use std::{convert::Infallible, time::Duration};
use tokio::time::{interval, timeout};
use tracing::{info, warn};

/// How often the store is asked.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long it may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What the trouble is about, on the status board.
const SUBJECT: &str = "store connection";
/// What to do about a store that is away.
const CURE: &str = "look after the store's server and the network; pushes and pulls go on by themselves then";

/// Looks at the store from time to time, whether anybody pushes or not.
pub(crate) async fn watch(state: &State) -> Infallible {
    let (mut ticks, mut was_away) = (interval(INTERVAL), false);
    loop {
        ticks.tick().await;
        let cause = look(state).await.err();
        match &cause {
            Some(cause) => state.status.trouble(SUBJECT, cause, CURE),
            None => state.status.well(SUBJECT),
        }
        match (&cause, was_away) {
            (Some(cause), false) => warn!(cause, "the store is away"),
            (None, true) => info!("the store is back"),
            _ => {}
        }
        was_away = cause.is_some();
    }
}

/// Asks for something that need not be there, and gives the cause when there is no sound answer.
async fn look(state: &State) -> Result<(), String> {
    match timeout(TIMEOUT, state.store.head(&layout::probe())).await {
        Ok(Ok(_) | Err(StoreError::NotFound { .. })) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the store did not answer for {} seconds", TIMEOUT.as_secs())),
    }
}
