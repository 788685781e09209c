//! Releases beside the one that serves: on their way, until they are judged ready or failed; or tried out, and judged for
//! as long as they are.

use std::collections::BTreeMap;
use std::time::Instant;

use deis_model::plan::{Verdict, plan};
use deis_model::{ContainerStatus, Desired, ReleaseContent, ReleaseVersion, Workload, WorkloadId, canary};
use deis_scheduler::SchedulerError;
use tracing::info;

use super::app_state::Memory;
use super::image::wanted;
use super::next::Next;
use super::pass::{PassError, SLOW_LOOK, is_passing, look_again};
use super::{RETRY, Reconciler, failure};

/// What releases beside the one that serves ask of the rest of the pass.
pub(super) struct Beside {
    /// What is wanted of them: their names and numbers, not what they run. Of one that was judged now, too: routes may
    /// lead there until the next pass.
    pub(super) workloads: Vec<Workload>,
    /// When to look at them again.
    pub(super) next: Next,
}

impl Reconciler {
    /// Brings the releases beside the one that serves one step on.
    pub(super) async fn advance_beside(
        &self,
        desired: &Desired,
        containers: &[ContainerStatus],
        memory: &mut Memory,
    ) -> Result<Beside, PassError> {
        let mut all = Beside { workloads: Vec::new(), next: Next::SETTLED };
        for release in desired.under_way().into_iter().chain(desired.tried_out()) {
            all.workloads.extend(wanted(desired, release, &[], memory));
            all.next = all.next.or(self.advance(desired, release, containers, memory).await?);
        }
        Ok(all)
    }

    /// Starts what is missing of a release, then judges it. When to look at it again.
    async fn advance(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        containers: &[ContainerStatus],
        memory: &mut Memory,
    ) -> Result<Next, PassError> {
        if desired.is_tried_out(release.version) && canary::weight(&desired.settings) == 0 {
            return self.end(desired, release).await;
        }
        let (workloads, own) = match self.start(desired, release, containers, memory).await {
            Ok(Some(started)) => started,
            Ok(None) => return Ok(Next::after(SLOW_LOOK)),
            Err(error) if is_passing(&error) => return Err(error.into()),
            Err(error) => return self.held_up(desired, release, &error, memory).await,
        };
        let overdue = self.is_overdue(release.version, memory);
        match Verdict::of(&self.unready(&workloads, &own)) {
            Verdict::Ready => {
                memory.unready_since.remove(&release.version);
                self.note_ready(desired, release.version).await
            }
            Verdict::Failed(name, failure) => {
                let reason = self.explain_failure(&name, &failure, containers).await;
                self.fail(desired, release, reason).await
            }
            Verdict::Waiting(names) if overdue => {
                let reason = self.explain_delay(&names, &workloads, containers).await;
                self.fail(desired, release, reason).await
            }
            Verdict::Waiting(names) => Ok(Next::after(look_again(&names, &workloads))),
        }
    }

    /// Has a release that is ready get what it was made for, unless it has it.
    async fn note_ready(&self, desired: &Desired, version: ReleaseVersion) -> Result<Next, PassError> {
        let (app, database) = (&desired.app, &self.shared.database);
        if desired.tried_out().is_some_and(|canary| canary.version == version) {
            return Ok(Next::SETTLED);
        }
        if desired.is_tried_out(version) {
            if database.mark_tried(app, version).await? {
                let weight = canary::weight(&desired.settings);
                info!(app = %app, release = %version, weight, "tried out");
                self.shared.events.say(app, format!("{version} is tried out on {weight} % of the requests"));
            }
        } else if database.mark_deployed(app, version).await? {
            info!(app = %app, release = %version, "deployed");
        }
        Ok(Next::NOW)
    }

    /// Ends what gets no requests any more.
    async fn end(&self, desired: &Desired, release: &ReleaseContent) -> Result<Next, PassError> {
        let reason = "its part of the requests was set to 0";
        if self.shared.database.end_without_requests(&desired.app, release.version, reason).await? {
            self.shared.events.say(&desired.app, format!("{} was ended: {reason}", release.version));
        }
        Ok(Next::NOW)
    }

    /// Goes on trying what the engine refuses for as long as that may pass.
    async fn held_up(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        error: &SchedulerError,
        memory: &mut Memory,
    ) -> Result<Next, PassError> {
        if desired.tried_out().is_some_and(|canary| canary.version == release.version) {
            // It has visitors already: what runs goes on, as of the release that serves the others. What is missing
            // has its time once the engine takes it.
            memory.images.remove(&release.version);
            memory.unready_since.remove(&release.version);
            return Ok(Next::after(RETRY));
        }
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
        Ok(Next::after(RETRY))
    }

    /// Whether the release has had its time.
    fn is_overdue(&self, version: ReleaseVersion, memory: &mut Memory) -> bool {
        memory.note_unready(version).elapsed() >= self.shared.settings.ready_timeout
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
        self.apply(&plan(&workloads, &own), &memory.restart.replacing).await?;
        Ok(Some((workloads, own)))
    }

    async fn fail(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        reason: String,
    ) -> Result<Next, PassError> {
        if !self.shared.database.mark_failed(&desired.app, release.version, &reason).await? {
            return Ok(Next::NOW);
        }
        // The lines after the first are the app's own words, which may hold secrets.
        let cause = reason.lines().next();
        info!(app = %desired.app, release = %release.version, cause, "release failed");
        for line in failure::log_lines(release.version, &reason) {
            self.shared.events.say(&desired.app, line);
        }
        Ok(Next::NOW)
    }
}

impl Memory {
    /// When this process first saw that this release can start, or would but for what may pass, and was not ready.
    fn note_unready(&mut self, version: ReleaseVersion) -> Instant {
        *self.unready_since.entry(version).or_insert_with(Instant::now)
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
