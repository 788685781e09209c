//! Changes: word of what was written, for those who act on it at once.
//!
//! A hint that is usually there within milliseconds, not a record: whoever acts on changes also looks at everything
//! from time to time.

use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use tokio::task::AbortHandle;

use deis_model::AppId;

use crate::Database;
use crate::database::Engine;
use crate::postgres::listen;

/// The channel of the database on which processes tell each other.
pub(crate) const CHANNEL: &str = "deis_changes";

/// What stands for every app.
const ALL: &str = "*";

/// What stands for the platform. No app is called so; those who do not know it take it for anything.
const PLATFORM: &str = ":platform";

/// How many changes wait for a slow receiver. One that is slower than that hears [`Change::All`].
const BACKLOG: usize = 1024;

/// What may be different now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// What is wanted of one app: its formation, releases, domains or owner, or whether it exists.
    App(AppId),
    /// What all routers are told: settings of the mesh, keys of TLS session tickets.
    Platform,
    /// Anything: changes may have been missed.
    All,
}

impl Change {
    /// As it is sent.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::App(app) => app.as_str(),
            Self::Platform => PLATFORM,
            Self::All => ALL,
        }
    }

    /// As it was received; what is not understood may be anything.
    pub(crate) fn read(text: &str) -> Self {
        match text {
            PLATFORM => Self::Platform,
            text => AppId::parse(text).map_or(Self::All, Self::App),
        }
    }
}

/// Where changes are passed on within this process.
#[derive(Debug)]
pub(crate) struct Changes {
    sender: Sender<Change>,
    listener: OnceLock<AbortHandle>,
}

impl Changes {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(BACKLOG).0, listener: OnceLock::new() }
    }

    /// Passes a change on.
    pub(crate) fn send(&self, change: Change) {
        // Nobody need be there to hear it.
        let _ = self.sender.send(change);
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}

impl Database {
    /// What this process and, on PostgreSQL, all others change from now on. Begins with [`Change::All`], which also
    /// comes when changes may have been missed: after the connection was lost, or when they are not read fast enough.
    ///
    /// Ends with the last handle of the database. Must be called within a Tokio runtime.
    pub fn changes(&self) -> BoxStream<'static, Change> {
        let receiver = self.changes.sender.subscribe();
        if let Engine::Postgres(server) = &self.engine {
            let listen = || listen(Arc::clone(server), self.changes.sender.clone());
            self.changes.listener.get_or_init(|| tokio::spawn(listen()).abort_handle());
        }
        let later = stream::unfold(receiver, receive);
        stream::iter([Change::All]).chain(later).boxed()
    }
}

async fn receive(mut receiver: Receiver<Change>) -> Option<(Change, Receiver<Change>)> {
    match receiver.recv().await {
        Ok(change) => Some((change, receiver)),
        Err(RecvError::Lagged(_)) => Some((Change::All, receiver)),
        Err(RecvError::Closed) => None,
    }
}
