//! Starting up, and looking at everything again from time to time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use deis_database::{Change as Written, Host};
use deis_model::AppId;
use deis_scheduler::{Change, SchedulerError};
use futures::StreamExt;
use tracing::{info, warn};

use super::Reconciler;
use super::pass::PassError;
use super::patience::Patience;
use crate::observation::Observation;
use crate::steady::steadily;

/// How long to wait at the start for the reports of hosts that are known, before routes are told without them.
const FIRST_REPORTS: Duration = Duration::from_secs(15);
/// A host is not waited for if it was last heard of this much longer ago than another one.
const LONG_SILENT: Duration = Duration::from_secs(15 * 60);
/// How long a few apps may hold up the opening of the route book.
const FIRST_PASSES: Duration = Duration::from_secs(15);
/// How often everything is looked at again, whatever was heard.
const RESYNC: Duration = Duration::from_secs(60);
/// How soon what could not be read is read again.
const REREAD: Duration = Duration::from_secs(1);

impl Reconciler {
    /// Works until shutdown.
    pub async fn run(&self) {
        let work = async {
            tokio::join!(
                steadily("changes on the engine", || self.follow_engine()),
                steadily("changes in the database", || self.follow_database()),
                steadily("start and resync", || self.start_and_resync()),
            );
        };
        tokio::select! {
            () = work => {}
            () = self.shared.shutdown.cancelled() => {}
        }
    }

    async fn follow_engine(&self) {
        let mut changes = self.shared.scheduler.watch();
        while let Some(change) = changes.next().await {
            match change {
                Change::App(app) => self.wake_app(&app),
                Change::All => self.resync().await,
            }
        }
    }

    /// Other controllers write what is wanted, too.
    async fn follow_database(&self) {
        let mut changes = self.shared.database.changes();
        while let Some(change) = changes.next().await {
            match change {
                Written::App(app) => self.wake_app(&app),
                Written::Platform => self.shared.mesh.refresh().await,
                Written::All => {
                    self.shared.mesh.refresh().await;
                    self.resync().await;
                }
            }
        }
    }

    async fn start_and_resync(&self) {
        // One that goes on after a pause knows what runs already.
        if !self.shared.routing.book.is_open() {
            self.await_first_reports().await;
        }
        let _ = self.shared.heard.set(());
        // Routers would give up the platform's certificate, or open what is for few.
        while !self.shared.mesh.is_told() {
            self.shared.mesh.refresh().await;
            if !self.shared.mesh.is_told() {
                tokio::time::sleep(REREAD).await;
            }
        }
        self.pass_over_all().await;
        self.shared.routing.book.open();
        info!("routes are open");
        loop {
            tokio::time::sleep(RESYNC).await;
            self.shared.mesh.refresh().await;
            self.resync().await;
            if let Err(error) = self.shared.scheduler.sweep_jobs().await {
                warn!(error = %error, "failed to remove containers of abandoned jobs");
            }
        }
    }

    async fn await_first_reports(&self) {
        let reports = &self.shared.routing.reports;
        let has_reported = |host: &Host| reports.has_reported(&host.name);
        let mut hosts = self.awaited_hosts().await;
        let patience = Patience::new(FIRST_REPORTS);
        while !hosts.iter().all(has_reported) {
            if patience.lasts().await {
                // Some may be forgotten meanwhile.
                hosts = self.awaited_hosts().await;
                continue;
            }
            // Without the engine and the publishers, routers know more than this controller.
            if let Ok(containers) = self.shared.scheduler.observe(None).await {
                reports.presume(containers, Instant::now());
                return warn!("not every known host has reported; what runs there keeps its traffic");
            }
        }
    }

    /// The hosts that are known and not silent for much longer than others.
    async fn awaited_hosts(&self) -> Vec<Host> {
        let mut hosts = loop {
            match self.shared.database.hosts().await {
                Ok(hosts) => break hosts,
                Err(error) => warn!(error = %error, "failed to read the known hosts; trying again"),
            }
            tokio::time::sleep(REREAD).await;
        };
        let newest = hosts.iter().map(|host| host.last_report).max();
        hosts.retain(|host| newest.is_none_or(|newest| newest - host.last_report < LONG_SILENT));
        hosts
    }

    /// Wakes every app there is and waits until each has its route.
    async fn pass_over_all(&self) {
        let apps = loop {
            match self.wake_everything().await {
                Ok(apps) => break apps,
                Err(error) => warn!(error = %error, "failed to read what there is; trying again"),
            }
            tokio::time::sleep(REREAD).await;
        };
        let has_route = |app: &AppId| self.state(app).standing.borrow().routed > 0;
        let patience = Patience::new(FIRST_PASSES);
        while !apps.iter().all(has_route) {
            // While the database is away, routers know more than this controller.
            if !patience.lasts().await && self.shared.database.apps().await.is_ok() {
                return warn!("some apps could not be looked at yet; they get no traffic until they are");
            }
        }
    }

    /// Has everything looked at.
    async fn resync(&self) {
        match self.wake_everything().await {
            Ok(apps) => self.forget_all_but(&apps),
            Err(error) => warn!(error = %error, "failed to read what there is"),
        }
    }

    fn forget_all_but(&self, apps: &BTreeSet<AppId>) {
        let mut held = self.shared.apps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.retain(|app, state| apps.contains(app) || !state.is_idle());
    }

    /// Wakes and names the apps that are wanted, and those that only have containers left.
    ///
    /// Asks the engine once, however many apps there are.
    async fn wake_everything(&self) -> Result<BTreeSet<AppId>, PassError> {
        let marks = self.shared.database.marks().await?;
        let mut apps: BTreeSet<AppId> = marks.keys().cloned().collect();
        match Observation::take(&self.shared.scheduler).await {
            Ok(seen) => {
                apps.extend(seen.apps.keys().cloned());
                self.wake_with(&marks, seen);
            }
            // What is wanted is known without the engine; its routes must be, too.
            Err(SchedulerError::Away { .. }) => self.wake_all(apps.clone()),
            Err(error) => return Err(error.into()),
        }
        Ok(apps)
    }
}
