//! Asking the leader how an app stands, whoever leads.

use std::time::{Duration, Instant};

use deis_api::client::CallError;
use deis_api::internal::{DeployAnswer, DeployGoal, DeployRequest};
use deis_model::AppId;
use http::StatusCode;

use super::Deployer;
use crate::app::DeployError;
use crate::lead::Seat;

/// How long the leader may take beyond what it was asked to wait.
const ANSWER: Duration = Duration::from_secs(30);
/// How long callers wait while nobody leads or the database is away: longer than it takes another one to lead.
const LEADERLESS: Duration = Duration::from_secs(30);
/// A call that lasted so long reached somebody who waited: one that does not gives up earlier.
const HEARD: Duration = Duration::from_secs(10);
/// How soon to look again who leads.
pub(super) const LOOK: Duration = Duration::from_millis(500);

impl Deployer {
    /// Waits until `goal` is reached or will not be. Time without a leader does not count towards `timeout`.
    pub(super) async fn reach(
        &self,
        app: &AppId,
        goal: &DeployGoal,
        timeout: Duration,
    ) -> Result<(), DeployError> {
        let (mut left, mut trouble) = (timeout, Trouble::default());
        loop {
            let asked = Instant::now();
            match self.ask(app, goal, left).await {
                Ok(DeployAnswer::Waiting(reason)) => {
                    left = left.saturating_sub(asked.elapsed());
                    if left.is_zero() {
                        return Err(DeployError::Failed(reason));
                    }
                    trouble = Trouble::default();
                }
                Ok(answer) => return verdict(answer),
                Err(reason) => {
                    trouble.lasts(asked, || reason)?;
                    self.await_leader().await;
                }
            }
        }
    }

    /// What the leader says, or why nobody says anything.
    pub(super) async fn ask(
        &self,
        app: &AppId,
        goal: &DeployGoal,
        hold: Duration,
    ) -> Result<DeployAnswer, String> {
        let mut seats = self.seats.clone();
        let seat = seats.borrow_and_update().clone();
        let answer = async {
            match &seat {
                Seat::Leading(term) => term.answer(app, goal, hold).await.ok_or_else(nobody),
                Seat::Following(leader) => match &leader.url {
                    Some(url) => self.ask_at(url, app, goal, hold).await,
                    None => Err(nobody()),
                },
            }
        };
        tokio::select! {
            answer = answer => answer,
            _ = seats.changed() => Err(nobody()),
        }
    }

    async fn ask_at(
        &self,
        url: &str,
        app: &AppId,
        goal: &DeployGoal,
        hold: Duration,
    ) -> Result<DeployAnswer, String> {
        let hold_millis = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        let request = DeployRequest { goal: goal.clone(), hold_millis };
        let (leader, path) = ((self.dial)(url), format!("/internal/deploys/{app}"));
        leader.post(&path, &request, hold + ANSWER).await.map_err(|error: CallError| match error.status() {
            Some(StatusCode::MISDIRECTED_REQUEST) => nobody(),
            _ => format!("the controller that leads gives no answer: {error}"),
        })
    }

    /// Waits a moment, or until the seat changes.
    pub(super) async fn await_leader(&self) {
        let mut seats = self.seats.clone();
        let _ = tokio::time::timeout(LOOK, seats.changed()).await;
    }
}

/// A time in which nobody can say how an app stands.
#[derive(Default)]
pub(super) struct Trouble {
    since: Option<Instant>,
}

impl Trouble {
    /// Fails with what `explain` says once it has lasted too long, calls that began at `asked` and brought nothing
    /// included.
    pub(super) fn lasts(
        &mut self,
        asked: Instant,
        explain: impl FnOnce() -> String,
    ) -> Result<(), DeployError> {
        if asked.elapsed() >= HEARD {
            self.since = None;
        }
        match self.since.get_or_insert_with(Instant::now).elapsed() < LEADERLESS {
            true => Ok(()),
            false => Err(DeployError::Failed(explain())),
        }
    }
}

/// What an answer that ends the waiting means for the caller.
pub(super) fn verdict(answer: DeployAnswer) -> Result<(), DeployError> {
    match answer {
        DeployAnswer::Done => Ok(()),
        DeployAnswer::Waiting(reason) | DeployAnswer::Failed(reason) => Err(DeployError::Failed(reason)),
        DeployAnswer::Gone => Err(DeployError::Gone),
    }
}

fn nobody() -> String {
    "no controller leads at the moment".to_owned()
}
