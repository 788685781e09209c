//! Answering how an app stands: what every controller asks the one that leads.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use deis_api::internal::{DeployAnswer, DeployGoal, Incarnation};
use deis_model::plan::Verdict;
use deis_model::{AppId, ContainerName, Formation, ReleaseState, ReleaseVersion};
use deis_scheduler::SchedulerError;

use super::Reconciler;
use super::app_state::AppState;
use super::standing::Standing;

/// How long is waited for routers to acknowledge what is already in force for new ones.
pub(crate) const ROUTERS_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a release is looked at, should nothing be heard of it.
const RELEASE_LOOK: Duration = Duration::from_secs(1);

impl Reconciler {
    /// Waits until `goal` is reached or will not be, at most for `hold`, and then for routers; how it stands.
    ///
    /// None once this reconciler ends.
    pub async fn answer(&self, app: &AppId, goal: &DeployGoal, hold: Duration) -> Option<DeployAnswer> {
        let answer = async {
            match goal {
                DeployGoal::Release(version) => self.answer_release(app, *version, hold).await,
                DeployGoal::Formation(requested) => self.answer_formation(app, requested, hold).await,
                DeployGoal::Restart(targets) => self.answer_restart(app, targets, hold).await,
            }
        };
        self.shared.shutdown.run_until_cancelled(answer).await
    }

    async fn answer_release(&self, app: &AppId, version: ReleaseVersion, hold: Duration) -> DeployAnswer {
        let state = self.state(app);
        let mut standing = state.standing.subscribe();
        let end = Instant::now() + hold;
        self.wake_app(app);
        loop {
            standing.mark_unchanged();
            // A database that is away is waited for by whoever asks.
            if let Ok(release) = self.shared.database.release(app, version).await {
                let Some(release) = release else { return DeployAnswer::Gone };
                match release.state {
                    ReleaseState::Failed | ReleaseState::Ended => {
                        return DeployAnswer::Failed(release.failure.unwrap_or_default());
                    }
                    ReleaseState::Deployed | ReleaseState::Canary => {
                        self.await_routed(app, &state).await;
                        return DeployAnswer::Done;
                    }
                    ReleaseState::Pending | ReleaseState::Starting | ReleaseState::Promoted => {}
                }
            }
            if let Some(reason) = standing.borrow().lasting_trouble() {
                return DeployAnswer::Failed(format!("{reason}; {version} is deployed as soon as it does"));
            }
            if Instant::now() >= end {
                return DeployAnswer::Waiting(String::new());
            }
            let look = RELEASE_LOOK.min(end.saturating_duration_since(Instant::now()));
            let _ = tokio::time::timeout(look, standing.changed()).await;
        }
    }

    /// Waits until a pass that begins from now on has written the app's route and every router serves by it.
    async fn await_routed(&self, app: &AppId, state: &AppState) {
        let begun = state.standing.borrow().begun;
        self.wake_app(app);
        let mut standing = state.standing.subscribe();
        let routed = standing.wait_for(|standing| standing.routed > begun);
        let _ = tokio::time::timeout(ROUTERS_TIMEOUT, routed).await;
        self.await_routers().await;
    }

    async fn await_routers(&self) {
        let book = &self.shared.routing.book;
        book.await_applied(book.generation(), ROUTERS_TIMEOUT).await;
    }

    /// Waits until `requested` runs, or will not.
    async fn answer_formation(&self, app: &AppId, requested: &Formation, hold: Duration) -> DeployAnswer {
        let begun = self.state(app).standing.borrow().begun;
        self.wake_app(app);
        let answer = self.await_standing(app, hold, |standing| {
            let holds = |(process, replicas)| standing.formation.get(process) == Some(replicas);
            let is_newer = standing.routed > begun && requested.iter().all(holds);
            is_newer.then(|| settled(standing)).flatten()
        });
        let answer = answer.await;
        if answer == DeployAnswer::Done {
            self.await_routers().await;
        }
        answer
    }

    /// Has those of `targets` that are still there made anew, and waits until they are.
    async fn answer_restart(&self, app: &AppId, targets: &[Incarnation], hold: Duration) -> DeployAnswer {
        let left = match self.left_of(app, targets).await {
            Ok(left) => left,
            Err(error) => return DeployAnswer::Failed(error.to_string()),
        };
        let state = self.state(app);
        let begun = state.standing.borrow().begun;
        if !left.is_empty() {
            state.memory.lock().await.restart.queue(&left);
            state.standing.send_modify(|standing| standing.restarting = true);
        }
        self.wake_app(app);
        let is_over = |standing: &Standing| {
            // Whatever the refusal, the restart was given up.
            let refused =
                standing.refusal.as_ref().map(|refusal| DeployAnswer::Failed(refusal.reason.clone()));
            let is_newer = !standing.restarting && standing.routed > begun;
            is_newer.then(|| refused.or_else(|| settled(standing))).flatten()
        };
        self.await_standing(app, hold, is_over).await
    }

    /// The containers whose incarnation is still the one of `targets`.
    async fn left_of(
        &self,
        app: &AppId,
        targets: &[Incarnation],
    ) -> Result<Vec<ContainerName>, SchedulerError> {
        let containers = self.shared.scheduler.observe(Some(app)).await?;
        let ids: BTreeMap<_, _> = containers.iter().map(|found| (&found.name, found.id.as_str())).collect();
        let is_left = |target: &&Incarnation| ids.get(&target.container) == Some(&target.id.as_str());
        Ok(targets.iter().filter(is_left).map(|target| target.container.clone()).collect())
    }

    /// Waits until `judge` has an opinion, at most for `hold`.
    async fn await_standing(
        &self,
        app: &AppId,
        hold: Duration,
        judge: impl Fn(&Standing) -> Option<DeployAnswer>,
    ) -> DeployAnswer {
        let state = self.state(app);
        let mut receiver = state.standing.subscribe();
        let opinion = async {
            loop {
                let opinion = {
                    let standing = receiver.borrow_and_update();
                    let refused = |reason: &str| DeployAnswer::Failed(reason.to_owned());
                    let gone = standing.is_gone.then_some(DeployAnswer::Gone);
                    gone.or_else(|| judge(&standing)).or_else(|| standing.lasting_trouble().map(refused))
                };
                match opinion {
                    Some(opinion) => return opinion,
                    None => drop(receiver.changed().await),
                }
            }
        };
        match tokio::time::timeout(hold, opinion).await {
            Ok(opinion) => opinion,
            Err(_) => DeployAnswer::Waiting(self.why_waiting(app).await),
        }
    }

    async fn why_waiting(&self, app: &AppId) -> String {
        let Standing { verdict, refusal, .. } = self.state(app).standing.borrow().clone();
        if let Some(refusal) = refusal {
            return refusal.reason;
        }
        let Some(Verdict::Waiting(names)) = verdict else {
            return format!("{app} was not brought to what was asked for in time; see deis logs");
        };
        let containers = self.shared.scheduler.observe(Some(app)).await.unwrap_or_default();
        self.explain_delay(&names, &[], &containers).await
    }
}

/// Whether an app has come to rest: well, or with containers that crash (which is the app's own affair), or refused for
/// good.
fn settled(standing: &Standing) -> Option<DeployAnswer> {
    if let Some(refusal) = standing.refusal.as_ref().filter(|refusal| !refusal.may_pass) {
        return Some(DeployAnswer::Failed(refusal.reason.clone()));
    }
    match &standing.verdict {
        Some(Verdict::Ready | Verdict::Failed(..)) => Some(DeployAnswer::Done),
        _ => None,
    }
}
