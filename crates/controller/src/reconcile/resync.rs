//! Starting up, and looking at everything again from time to time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use deis_database::Host;
use deis_model::AppId;
use deis_scheduler::{Change, SchedulerError};
use futures::StreamExt;
use tracing::{info, warn};

use super::Reconciler;
use super::patience::Patience;

/// How long to wait at the start for the reports of hosts that are known, before routes are told without them.
const FIRST_REPORTS: Duration = Duration::from_secs(15);
/// How long a few apps may hold up the opening of the route book.
const FIRST_PASSES: Duration = Duration::from_secs(15);
/// How often everything is looked at again, whatever was heard.
const RESYNC: Duration = Duration::from_secs(60);
/// How often leases are looked at.
const LEASE_LOOK: Duration = Duration::from_secs(1);

impl Reconciler {
    /// Works until shutdown.
    pub async fn run(&self) {
        let shutdown = self.shared.shutdown.clone();
        let work = async {
            tokio::join!(self.follow_engine(), self.follow_leases(), self.start_and_resync());
        };
        tokio::select! {
            () = work => {}
            () = shutdown.cancelled() => {}
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

    async fn follow_leases(&self) {
        loop {
            tokio::time::sleep(LEASE_LOOK).await;
            if self.shared.reports.has_expired(Instant::now()) {
                self.expire_leases().await;
            }
        }
    }

    /// A passed lease means that the host or its publisher is gone. Containers that the engine itself still
    /// vouches for keep their traffic.
    async fn expire_leases(&self) {
        let Ok(containers) = self.shared.scheduler.observe(None).await else { return };
        let running: BTreeSet<&str> = containers
            .iter()
            .filter(|container| container.state == deis_model::ContainerState::Up)
            .map(|container| container.id.as_str())
            .collect();
        let changed =
            self.shared.reports.expire(Instant::now(), |endpoint| running.contains(endpoint.id.as_str()));
        self.wake_all(changed);
    }

    async fn start_and_resync(&self) {
        self.await_first_reports().await;
        let _ = self.shared.heard.set(());
        self.pass_over_all().await;
        self.shared.book.open();
        info!("routes are open");
        loop {
            tokio::time::sleep(RESYNC).await;
            self.resync().await;
            if let Err(error) = self.shared.scheduler.sweep_jobs().await {
                warn!(error = %error, "failed to remove containers of abandoned jobs");
            }
        }
    }

    async fn await_first_reports(&self) {
        let hosts = loop {
            match self.shared.database.hosts().await {
                Ok(hosts) => break hosts,
                Err(error) => warn!(error = %error, "failed to read the known hosts; trying again"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        let has_reported = |host: &Host| self.shared.reports.has_reported(&host.name);
        let patience = Patience::new(FIRST_REPORTS);
        while !hosts.iter().all(has_reported) {
            if patience.lasts().await {
                continue;
            }
            // Without the engine and the publishers, routers know more than this controller.
            if let Ok(containers) = self.shared.scheduler.observe(None).await {
                self.shared.reports.presume(containers, Instant::now());
                return warn!("not every known host has reported; what runs there keeps its traffic");
            }
        }
    }

    /// Wakes every app there is and waits until each has its route.
    async fn pass_over_all(&self) {
        let apps = loop {
            match self.everything().await {
                Ok(apps) => break apps,
                Err(error) => warn!(error = %error, "failed to read what there is; trying again"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        self.wake_all(apps.clone());
        let has_route = |app: &AppId| self.state(app).standing.borrow().routed > 0;
        let patience = Patience::new(FIRST_PASSES);
        while !apps.iter().all(has_route) {
            // While the database is away, routers know more than this controller.
            if !patience.lasts().await && self.shared.database.apps().await.is_ok() {
                return warn!("some apps could not be looked at yet; they get no traffic until they are");
            }
        }
    }

    /// Has everything looked at: apps that are wanted, and apps that only have containers left.
    async fn resync(&self) {
        match self.everything().await {
            Ok(apps) => {
                self.forget_all_but(&apps);
                self.wake_all(apps);
            }
            Err(error) => warn!(error = %error, "failed to read what there is"),
        }
    }

    fn forget_all_but(&self, apps: &BTreeSet<AppId>) {
        let mut held = self.shared.apps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.retain(|app, state| apps.contains(app) || !state.is_idle());
    }

    async fn everything(&self) -> Result<BTreeSet<AppId>, super::pass::PassError> {
        let wanted = self.shared.database.apps().await?;
        let found = match self.shared.scheduler.observe(None).await {
            Ok(containers) => containers,
            // What is wanted is known without the engine; its routes must be, too.
            Err(SchedulerError::Away { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(wanted.into_iter().chain(found.into_iter().map(|container| container.name.workload.app)).collect())
    }
}
