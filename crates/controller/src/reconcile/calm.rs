//! Apps at rest: what they were like when nothing was left to do, so that a round passes over those that changed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use deis_database::Mark;
use deis_model::{ContainerStatus, Desired};

/// How long an app is left alone by rounds at least; at most twice as long, so that not all have their turn at once.
const LEFT_ALONE: Duration = Duration::from_secs(15 * 60);

/// What was wanted and what ran when a pass left nothing to do.
pub(super) struct Calm {
    mark: Mark,
    /// Of the containers.
    digest: u64,
    until: Instant,
}

impl Calm {
    /// An app that is at rest from now on.
    pub(super) fn of(desired: &Desired, containers: &[ContainerStatus]) -> Self {
        let digest = digest(containers);
        let spread = Duration::from_millis(digest % (LEFT_ALONE.as_secs() * 1000));
        Self { mark: Mark::of(desired), digest, until: Instant::now() + LEFT_ALONE + spread }
    }

    /// Whether a pass that finds this would find nothing to do.
    pub(super) fn holds(&self, mark: &Mark, containers: &[ContainerStatus]) -> bool {
        Instant::now() < self.until && self.mark == *mark && self.digest == digest(containers)
    }
}

fn digest(containers: &[ContainerStatus]) -> u64 {
    let mut hasher = DefaultHasher::new();
    containers.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::app_state::AppState;
    use super::*;
    use deis_model::{AppId, ContainerName, ContainerState};

    fn desired(replicas: u32) -> Desired {
        Desired {
            app: AppId::parse("blog").unwrap(),
            uuid: "1".to_owned(),
            owner: "ann".to_owned(),
            formation: [(deis_model::ProcessType::web(), replicas)].into(),
            deployed: None,
            pending: None,
            trial: None,
            canary: None,
            domains: Vec::new(),
            settings: Default::default(),
            certificates: Vec::new(),
            routing: 0,
        }
    }

    fn container(restarts: u32) -> ContainerStatus {
        ContainerStatus {
            name: ContainerName::parse("blog_v2.web.1").unwrap(),
            id: "a".to_owned(),
            state: ContainerState::Up,
            address: None,
            health_check: None,
            restarts,
            started_at: 0,
            exit_code: None,
            out_of_memory: false,
            trouble: None,
            misplaced: false,
            fingerprint: String::new(),
        }
    }

    /// An app of which nothing is left to do.
    fn at_rest() -> AppState {
        let state = AppState::default();
        assert!(state.note_dirty(), "somebody must look");
        state.note_calm(Some(Calm::of(&desired(1), &[container(0)])));
        assert!(state.rest());
        state
    }

    #[test]
    fn a_round_leaves_an_app_alone_that_is_as_it_was() {
        let sees = |state: &AppState, mark: &Mark, restarts: u32| {
            state.note_seen(Instant::now(), Some(mark), vec![container(restarts)])
        };
        let (same, scaled) = (Mark::of(&desired(1)), Mark::of(&desired(2)));
        assert!(!sees(&at_rest(), &same, 0));
        assert!(sees(&at_rest(), &same, 1), "it restarted");
        assert!(sees(&at_rest(), &scaled, 0), "it was scaled");
        assert!(at_rest().note_seen(Instant::now(), None, vec![container(0)]), "it is gone");
        let heard_of = at_rest();
        assert!(heard_of.note_dirty());
        assert!(heard_of.rest());
        assert!(sees(&heard_of, &same, 0), "nobody looked after something was heard of it");
    }
}
