//! The release on its way: started, then judged deployed or failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use deis_model::plan::{Verdict, plan};
use deis_model::{ContainerStatus, Desired, ReleaseContent, ReleaseVersion, Workload, WorkloadId, intent};
use deis_scheduler::SchedulerError;
use tracing::info;

use super::app_state::Memory;
use super::next::Next;
use super::pass::{PassError, SLOW_LOOK, is_passing, look_again};
use super::{RETRY, Reconciler, failure};

/// What a pending release asks of the rest of the pass.
pub(super) struct Pending {
    /// What is to run of it.
    pub(super) workloads: Vec<Workload>,
    /// When to look at it again.
    pub(super) next: Next,
}

impl Pending {
    /// There is none.
    pub(super) fn none() -> Self {
        Self { workloads: Vec::new(), next: Next::SETTLED }
    }
}

impl Reconciler {
    /// Brings a pending release one step on: starts it, or judges it deployed or failed.
    pub(super) async fn advance(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        containers: &[ContainerStatus],
        memory: &mut Memory,
    ) -> Result<Pending, PassError> {
        let (workloads, own) = match self.start(desired, release, containers, memory).await {
            Ok(Some(started)) => started,
            Ok(None) => {
                let workloads = intent::workloads(desired, release, &[]);
                return Ok(Pending { workloads, next: Next::after(SLOW_LOOK) });
            }
            Err(error) if is_passing(&error) => return Err(error.into()),
            Err(error) => return self.held_up(desired, release, &error, memory).await,
        };
        let overdue = self.is_overdue(release.version, memory);
        match Verdict::of(&self.unready(&workloads, &own)) {
            Verdict::Ready => {
                self.shared.database.mark_deployed(&desired.app, release.version).await?;
                info!(app = %desired.app, release = %release.version, "deployed");
                Ok(Pending { workloads, next: Next::NOW })
            }
            Verdict::Failed(name, failure) => {
                let reason = self.explain_failure(&name, &failure, containers).await;
                self.fail(desired, release, reason).await
            }
            Verdict::Waiting(names) if overdue => {
                let reason = self.explain_delay(&names, &workloads, containers).await;
                self.fail(desired, release, reason).await
            }
            Verdict::Waiting(names) => {
                let next = Next::after(look_again(&names, &workloads));
                Ok(Pending { workloads, next })
            }
        }
    }

    /// Goes on trying what the engine refuses for as long as that may pass.
    async fn held_up(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        error: &SchedulerError,
        memory: &mut Memory,
    ) -> Result<Pending, PassError> {
        if !error.may_pass() {
            return self.fail(desired, release, error.to_string()).await;
        }
        if self.is_overdue(release.version, memory) {
            let seconds = self.shared.settings.ready_timeout.as_secs();
            return self
                .fail(desired, release, format!("it could not be started within {seconds} s: {error}"))
                .await;
        }
        // Where it was may be where it is missing now.
        memory.images.remove(&release.version);
        let workloads = intent::workloads(desired, release, &[]);
        Ok(Pending { workloads, next: Next::after(RETRY) })
    }

    /// Whether the release has had its time.
    fn is_overdue(&self, version: ReleaseVersion, memory: &mut Memory) -> bool {
        memory.note_pending(version).elapsed() >= self.shared.settings.ready_timeout
    }

    /// Starts what is missing of `release`: its workloads, and the containers that are really theirs. None while its
    /// image is not available yet.
    async fn start(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        containers: &[ContainerStatus],
        memory: &mut Memory,
    ) -> Result<Option<(Vec<Workload>, Vec<ContainerStatus>)>, SchedulerError> {
        let Some(workloads) = self.workloads(desired, release, memory).await? else { return Ok(None) };
        let own = made_from(&workloads, containers);
        self.apply(&plan(&workloads, &own), &BTreeSet::new()).await?;
        Ok(Some((workloads, own)))
    }

    async fn fail(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        reason: String,
    ) -> Result<Pending, PassError> {
        // The lines after the first are the app's own words, which may hold secrets.
        let cause = reason.lines().next();
        info!(app = %desired.app, release = %release.version, cause, "release failed");
        self.shared.database.mark_failed(&desired.app, release.version, &reason).await?;
        for line in failure::log_lines(release.version, &reason) {
            self.shared.events.say(&desired.app, line);
        }
        Ok(Pending { workloads: Vec::new(), next: Next::NOW })
    }
}

impl Memory {
    /// When this process first saw that this pending release can start, or would but for what may pass.
    fn note_pending(&mut self, version: ReleaseVersion) -> Instant {
        match self.pending_since {
            Some((held, since)) if held == version => since,
            _ => {
                let now = Instant::now();
                self.pending_since = Some((version, now));
                now
            }
        }
    }
}

/// Those of `containers` that were made from `workloads`. Others of the same names are left from an earlier app that was
/// called the same; applying replaces them.
fn made_from(workloads: &[Workload], containers: &[ContainerStatus]) -> Vec<ContainerStatus> {
    let prints: BTreeMap<&WorkloadId, String> =
        workloads.iter().map(|workload| (&workload.id, workload.fingerprint())).collect();
    let is_own = |found: &&ContainerStatus| prints.get(&found.name.workload) == Some(&found.fingerprint);
    containers.iter().filter(is_own).cloned().collect()
}
