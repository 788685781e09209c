//! Following the engine's events: what changed, for watchers and for what is remembered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, EventsOptionsBuilder};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use deis_model::AppId;

use super::inspection::Inspections;
use super::weight::{weigh, weigh_present};
use crate::Change;
use crate::labels;

/// Changes that a slow watcher may fall behind before it is told that anything may have changed.
const BACKLOG: usize = 1024;

/// Waits between attempts to reach an engine that went away.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Events of containers that show in what is observed.
const ACTIONS: [&str; 11] =
    ["create", "start", "restart", "die", "stop", "oom", "pause", "unpause", "rename", "destroy", "update"];

/// Follows events as long as it lives.
pub(super) struct Watcher {
    pub(super) inspections: Arc<Inspections>,
    /// Whether events come in; while they do not, nothing remembered counts.
    connected: Arc<AtomicBool>,
    changes: broadcast::Sender<Change>,
    task: AbortHandle,
}

impl Watcher {
    /// Starts following events of containers of `platform`.
    pub(super) fn start(client: bollard::Docker, platform: &str) -> Arc<Self> {
        let (changes, _) = broadcast::channel(BACKLOG);
        let inspections = Arc::new(Inspections::default());
        let connected = Arc::new(AtomicBool::new(true));
        let follower = Follower {
            client,
            platform: platform.to_owned(),
            inspections: Arc::clone(&inspections),
            connected: Arc::clone(&connected),
            changes: changes.clone(),
            since: since_now(),
        };
        let task = tokio::spawn(follower.run()).abort_handle();
        Arc::new(Self { inspections, connected, changes, task })
    }

    /// Whether what is remembered can be relied on.
    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Changes from now on.
    pub(super) fn subscribe(&self) -> BoxStream<'static, Change> {
        let changes = self.changes.subscribe();
        stream::unfold(changes, |mut changes| async move {
            match changes.recv().await {
                Ok(change) => Some((change, changes)),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((Change::All, changes)),
                // The adapter is gone; the contract is never to end.
                Err(broadcast::error::RecvError::Closed) => futures::future::pending().await,
            }
        })
        .boxed()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    client: bollard::Docker,
    platform: String,
    inspections: Arc<Inspections>,
    connected: Arc<AtomicBool>,
    changes: broadcast::Sender<Change>,
    /// From when on to ask for events: the last one seen, so that none is missed in a gap.
    since: String,
}

impl Follower {
    async fn run(mut self) {
        loop {
            weigh_present(&self.client, &self.platform).await;
            self.follow().await;
            self.connected.store(false, Ordering::Release);
            self.await_engine().await;
            self.inspections.clear();
            self.connected.store(true, Ordering::Release);
            self.tell(Change::All);
        }
    }

    /// Until the engine goes away.
    async fn follow(&mut self) {
        let mut events = std::pin::pin!(self.client.clone().events(Some(self.options())));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    self.note(&event);
                    self.weigh(&event).await;
                }
                Err(error) => return warn!(%error, "lost the container engine's events"),
            }
        }
    }

    /// Gives a container that just started its weight.
    async fn weigh(&self, event: &EventMessage) {
        let Some(actor) = event.actor.as_ref().filter(|_| event.action.as_deref() == Some("start")) else {
            return;
        };
        if let (Some(id), Some(attributes)) = (&actor.id, &actor.attributes) {
            let name = attributes.get("name").map_or("", String::as_str);
            weigh(&self.client, &self.platform, id, name, attributes).await;
        }
    }

    fn options(&self) -> EventsOptions {
        let mut filters = labels::filters(&self.platform, &[]);
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        filters.insert("event".to_owned(), ACTIONS.map(str::to_owned).into());
        EventsOptionsBuilder::new().since(&self.since).filters(&filters).build()
    }

    fn note(&mut self, event: &EventMessage) {
        if let Some(nanoseconds) = event.time_nano {
            self.since = seconds(nanoseconds);
        }
        let Some(actor) = &event.actor else { return };
        let empty = HashMap::new();
        let attributes = actor.attributes.as_ref().unwrap_or(&empty);
        if let Some(id) = &actor.id {
            let time = event.time_nano.unwrap_or(0);
            self.remember(id, event.action.as_deref().unwrap_or(""), attributes, time);
        }
        if let Some(app) = attributes.get(labels::APP).and_then(|app| AppId::parse(app).ok()) {
            self.tell(Change::App(app));
        }
    }

    fn remember(&self, id: &str, action: &str, attributes: &HashMap<String, String>, time: i64) {
        self.inspections.changed(id);
        match action {
            "destroy" => self.inspections.forget(id),
            "start" => self.inspections.started(id),
            "oom" => self.inspections.out_of_memory(id, time),
            "die" => {
                let code = attributes.get("exitCode").and_then(|code| code.parse().ok());
                self.inspections.died(id, code, time);
            }
            _ => {}
        }
    }

    async fn await_engine(&self) {
        let mut wait = FIRST_WAIT;
        while self.client.ping().await.is_err() {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        info!("the container engine answers again");
    }

    fn tell(&self, change: Change) {
        // Nobody may be watching.
        let _ = self.changes.send(change);
    }
}

fn since_now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    seconds(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// The engine's way to write a time: seconds with nine decimals.
fn seconds(nanoseconds: i64) -> String {
    format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}
