//! Noticing changes: managers tell of services and hosts as they change, but of containers only when they are asked.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Weak;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{EventMessage, Task};
use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::Instant;
use tracing::{debug, warn};

use deis_model::AppId;

use super::Swarm;
use super::service::Owned;
use crate::{Change, ClusterHost, SchedulerError};

/// Changes that a slow watcher may fall behind before it is told that anything may have changed.
pub(super) const BACKLOG: usize = 1024;

/// Between questions while something is on its way, and while nothing is.
const SOON: Duration = Duration::from_millis(500);
const LATER: Duration = Duration::from_secs(5);

/// How long after a change more are expected.
const UNSETTLED_FOR: Duration = Duration::from_secs(15);

/// What was seen of each app: a number that is another after any change.
type Seen = BTreeMap<AppId, u64>;

/// Asks again and again, as long as the adapter is there.
pub(super) async fn run(swarm: Weak<Swarm>) {
    let mut look = Look { seen: Seen::new(), away: false, changed: Instant::now() };
    let mut events = None;
    while let Some(swarm) = swarm.upgrade() {
        // Nobody is told before somebody listens.
        if swarm.changes.receiver_count() > 0 {
            look.again(&swarm).await;
        }
        let poked = swarm.poke.clone();
        let mut told = match events.take() {
            Some(told) => told,
            None => follow(&swarm),
        };
        drop(swarm);
        tokio::select! {
            // One that is lost is asked for again after a while.
            event = told.next() => match event {
                Some(Ok(_)) => events = Some(told),
                _ => tokio::time::sleep(SOON).await,
            },
            () = poked.notified() => events = Some(told),
            () = tokio::time::sleep(look.pause()) => events = Some(told),
        }
    }
}

fn follow(swarm: &Swarm) -> BoxStream<'static, Result<EventMessage, Error>> {
    let filters = HashMap::from([
        ("type".to_owned(), vec!["service".to_owned(), "node".to_owned()]),
        ("scope".to_owned(), vec!["swarm".to_owned()]),
    ]);
    swarm.client().clone().events(Some(EventsOptionsBuilder::new().filters(&filters).build())).boxed()
}

struct Look {
    seen: Seen,
    away: bool,
    changed: Instant,
}

impl Look {
    async fn again(&mut self, swarm: &Swarm) {
        match swarm.look().await {
            Ok((seen, settled)) => self.note(swarm, seen, settled),
            // Outside of a cluster there is nothing to see.
            Err(SchedulerError::NoManager) => self.seen.clear(),
            Err(error) => {
                if !self.away {
                    warn!(%error, "failed to ask the Swarm for changes");
                }
                self.away = true;
            }
        }
    }

    fn note(&mut self, swarm: &Swarm, seen: Seen, settled: bool) {
        let apps = seen.keys().chain(self.seen.keys());
        let mut changed: Vec<_> = apps.filter(|app| seen.get(*app) != self.seen.get(*app)).cloned().collect();
        changed.sort();
        changed.dedup();
        if !changed.is_empty() || !settled {
            self.changed = Instant::now();
        }
        let back = std::mem::take(&mut self.away).then_some(Change::All);
        for change in back.into_iter().chain(changed.into_iter().map(Change::App)) {
            // Nobody may be watching.
            let _ = swarm.changes.send(change);
        }
        self.seen = seen;
    }

    fn pause(&self) -> Duration {
        if self.changed.elapsed() < UNSETTLED_FOR { SOON } else { LATER }
    }
}

impl Swarm {
    /// Changes from now on, beginning with every app that has containers.
    pub(super) fn subscribe(&self) -> BoxStream<'static, Change> {
        let changes = self.changes.subscribe();
        self.poke.notify_one();
        Change::as_they_come(changes)
    }

    /// What there is, and whether all of it is as it should be. Mends on the way what hosts that came or went upset.
    async fn look(&self) -> Result<(Seen, bool), SchedulerError> {
        let services = self.services(&[]).await?;
        let tasks = self.tasks_of(&services).await?;
        let hosts = self.nodes().await?;
        if let Err(error) = self.keep_apart(&services, &tasks).await {
            // Another of us was faster, or the next look does it.
            debug!(%error, "failed to keep containers apart");
        }
        Ok((seen(&services, &tasks, &hosts), tasks.iter().all(is_settled)))
    }
}

fn seen(services: &[Owned], tasks: &[Task], hosts: &[ClusterHost]) -> Seen {
    let apps: HashMap<&str, &AppId> =
        services.iter().map(|service| (service.id.as_str(), &service.workload().app)).collect();
    let states: HashMap<&str, String> =
        hosts.iter().map(|host| (host.id.as_str(), format!("{:?}", host.state))).collect();
    let mut parts: BTreeMap<AppId, Vec<String>> = BTreeMap::new();
    for service in services {
        parts.entry(service.workload().app.clone()).or_default().push(service.id.clone());
    }
    for task in tasks {
        let Some(app) = task.service_id.as_deref().and_then(|id| apps.get(id)) else { continue };
        let host = task.node_id.as_deref().and_then(|id| states.get(id));
        let state = task.status.as_ref().and_then(|status| status.state);
        let part = format!("{:?} {state:?} {:?} {host:?}", task.id, task.desired_state);
        parts.entry((*app).clone()).or_default().push(part);
    }
    let sum = |mut parts: Vec<String>| {
        parts.sort();
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        hasher.finish()
    };
    parts.into_iter().map(|(app, parts)| (app, sum(parts))).collect()
}

fn is_settled(task: &Task) -> bool {
    let state = task.status.as_ref().and_then(|status| status.state);
    super::history::is_over(task) || state == task.desired_state
}
