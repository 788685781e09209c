//! Where an app stands, for whoever waits for it.

use std::time::{Duration, Instant};

use deis_model::Formation;
use deis_model::plan::Verdict;
use deis_scheduler::SchedulerError;

/// How long callers wait while passes fail, as when the engine does not answer: longer than it takes to start again.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(10);

/// Where an app stands.
#[derive(Clone, Default)]
pub(super) struct Standing {
    /// Counts passes as they begin.
    pub(super) begun: u64,
    /// The newest pass that wrote the app's route.
    pub(super) routed: u64,
    /// Whether the app was deleted.
    pub(super) is_gone: bool,
    /// The formation that the newest pass worked towards.
    pub(super) formation: Formation,
    /// How the containers of the deployed release are.
    pub(super) verdict: Option<Verdict>,
    /// Why the engine refused, if it did.
    pub(super) refusal: Option<Refusal>,
    /// Whether containers wait to be made anew.
    pub(super) restarting: bool,
    /// Since when no pass could be finished, and why.
    pub(super) trouble: Option<(Instant, String)>,
}

/// Why the engine does not run what is wanted.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// For the app's owner.
    pub(super) reason: String,
    /// Whether it may run the same a little later.
    pub(super) may_pass: bool,
}

impl Refusal {
    /// What the engine answered.
    pub(super) fn of(error: &SchedulerError) -> Self {
        Self { reason: error.to_string(), may_pass: error.may_pass() }
    }
}

impl Standing {
    /// What keeps passes from being finished, once it lasts so long that nobody should wait for its end.
    pub(super) fn lasting_trouble(&self) -> Option<&str> {
        let (since, reason) = self.trouble.as_ref()?;
        (since.elapsed() >= TROUBLE_PATIENCE).then_some(reason)
    }
}
