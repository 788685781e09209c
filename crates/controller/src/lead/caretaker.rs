//! The caretaker: keeps routes true to what publishers report while this controller cannot renew its lease.
//!
//! It withdraws what is gone and adds what came, by what was wanted last. It changes nothing on the engine.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deis_model::AppId;
use deis_scheduler::Scheduler;
use tokio::sync::Notify;

use crate::observation::Observation;
use crate::routes::Routing;

/// How long the engine may take to say what it has.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes routes by reports alone. Cheap to clone.
#[derive(Clone)]
pub(super) struct Caretaker {
    routing: Arc<Routing>,
    scheduler: Arc<dyn Scheduler>,
    changed: Arc<Changed>,
}

#[derive(Default)]
struct Changed {
    apps: Mutex<BTreeSet<AppId>>,
    woken: Notify,
}

impl Caretaker {
    /// One that begins with all apps that have routes.
    pub(super) fn new(routing: Arc<Routing>, scheduler: Arc<dyn Scheduler>) -> Self {
        let caretaker = Self { routing, scheduler, changed: Arc::default() };
        caretaker.wake_all(caretaker.routing.apps());
        caretaker
    }

    /// Has the routes of `apps` written soon.
    pub(super) fn wake_all(&self, apps: BTreeSet<AppId>) {
        self.changed.apps.lock().unwrap_or_else(PoisonError::into_inner).extend(apps);
        self.changed.woken.notify_one();
    }

    /// Works for ever.
    pub(super) async fn run(self) {
        loop {
            self.changed.woken.notified().await;
            let apps = std::mem::take(&mut *self.changed.apps.lock().unwrap_or_else(PoisonError::into_inner));
            let looked = tokio::time::timeout(PATIENCE, Observation::take(&self.scheduler)).await;
            let seen = looked.ok().and_then(Result::ok).map(|observation| observation.apps);
            for app in &apps {
                if let Some(seen) = &seen {
                    self.routing.reports.note_current(app, seen.get(app).map_or(&[], Vec::as_slice));
                }
                self.routing.republish(app);
            }
        }
    }
}
