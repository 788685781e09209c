//! Retiring containers: off the routes, drained, stopped, removed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deis_model::{AppId, ContainerName};
use tracing::warn;

use super::Reconciler;
use super::app_state::{AppState, Draining, Memory};
use super::next::Next;

/// How soon to look again at containers that drain, should no router say anything.
const DRAIN_LOOK: Duration = Duration::from_secs(1);

/// How long after a failed removal it is tried again.
const RETRY_REMOVAL: Duration = Duration::from_secs(2);

impl Reconciler {
    /// Stops and removes those of `unwanted` that have no request under way any more; the others drain on.
    ///
    /// The route table must already be without them.
    pub(super) fn retire(
        &self,
        app: &AppId,
        unwanted: BTreeSet<ContainerName>,
        state: &AppState,
        memory: &mut Memory,
    ) -> Next {
        memory.draining.retain(|name, _| unwanted.contains(name));
        let mut still_draining = false;
        for name in unwanted {
            let draining = *memory.draining.entry(name.clone()).or_insert_with(|| self.begin_draining());
            if self.is_drained(&name, draining) {
                memory.draining.remove(&name);
                self.remove_in_background(app, name, state);
            } else {
                still_draining = true;
            }
        }
        if still_draining { Next::after_routes(DRAIN_LOOK) } else { Next::SETTLED }
    }

    /// Waits until one of the app's containers on their way out can go. Routes change for many other reasons.
    pub(super) async fn until_drained(&self, state: &AppState) {
        let mut routes = self.shared.routing.book.subscribe();
        loop {
            let memory = state.memory.lock().await;
            if memory.draining.iter().any(|(name, draining)| self.is_drained(name, *draining)) {
                return;
            }
            drop(memory);
            if routes.changed().await.is_err() {
                return;
            }
        }
    }

    fn begin_draining(&self) -> Draining {
        let deadline = Instant::now() + self.shared.settings.drain_timeout;
        Draining { generation: self.shared.routing.book.generation(), deadline }
    }

    fn is_drained(&self, name: &ContainerName, draining: Draining) -> bool {
        !name.workload.process.is_routable()
            || self.shared.routing.book.is_drained(name, draining.generation)
            || Instant::now() >= draining.deadline
    }

    /// Containers may take long to stop; the app's next deploy does not wait for that.
    fn remove_in_background(&self, app: &AppId, name: ContainerName, state: &AppState) {
        if !state.note_removing(&name) {
            return;
        }
        let (reconciler, app) = (self.clone(), app.clone());
        self.spawn(async move {
            let removing = Removing { state: reconciler.state(&app), name };
            reconciler.remove(&app, &removing).await;
            drop(removing);
            reconciler.wake_app(&app);
        });
    }

    async fn remove(&self, app: &AppId, removing: &Removing) {
        let (name, routing) = (&removing.name, &self.shared.routing);
        let ids = routing.reports.ids(name);
        match self.shared.scheduler.remove_container(name, self.shared.settings.stop_grace).await {
            Ok(()) => {
                routing.reports.forget(app, &ids);
                removing.state.memory.lock().await.restart.note_removed(name);
            }
            Err(error) => {
                warn!(container = %name, error = %error, "failed to remove; trying again");
                tokio::time::sleep(RETRY_REMOVAL).await;
            }
        }
    }
}

/// A name while its container is being removed; free again when dropped, also by a panic.
struct Removing {
    state: Arc<AppState>,
    name: ContainerName,
}

impl Drop for Removing {
    fn drop(&mut self) {
        self.state.note_removed(&self.name);
    }
}

impl AppState {
    /// Whether the name was not being removed before.
    fn note_removing(&self, name: &ContainerName) -> bool {
        self.removing.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(name.clone())
    }

    fn note_removed(&self, name: &ContainerName) {
        self.removing.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(name);
    }
}
