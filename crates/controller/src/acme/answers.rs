//! Answers to challenges: given to all routers before the authority is told to ask.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use deis_api::internal::Challenge;

use crate::routes::RouteBook;

/// How long routers may take to go by a challenge; a controller that has just begun to lead does not talk to them yet.
const ROUTERS_TIMEOUT: Duration = Duration::from_secs(60);

/// All routers of the mesh.
#[async_trait]
pub trait Routers: Send + Sync {
    /// Tells them to answer exactly these challenges. The generation from which they do.
    fn tell(&self, challenges: Vec<Challenge>) -> u64;

    /// Waits until every live router goes by `generation`; whether they do in time.
    async fn await_told(&self, generation: u64) -> bool;
}

#[async_trait]
impl Routers for RouteBook {
    fn tell(&self, challenges: Vec<Challenge>) -> u64 {
        self.change_platform(|platform| platform.challenges = challenges)
    }

    async fn await_told(&self, generation: u64) -> bool {
        self.await_applied(generation, ROUTERS_TIMEOUT).await
    }
}

/// The challenges that are answered now. Cheap to clone.
#[derive(Clone)]
pub(super) struct Answers {
    routers: Arc<dyn Routers>,
    challenges: Arc<Mutex<BTreeSet<Challenge>>>,
}

/// A challenge that is answered until this is dropped.
pub(super) struct Answered {
    answers: Answers,
    challenge: Challenge,
}

impl Answers {
    /// None yet.
    pub(super) fn new(routers: Arc<dyn Routers>) -> Self {
        Self { routers, challenges: Arc::default() }
    }

    /// Has every router answer `challenge`; none if not all of them do in time.
    pub(super) async fn give(&self, challenge: Challenge) -> Option<Answered> {
        let generation = self.change(|challenges| _ = challenges.insert(challenge.clone()));
        let answered = Answered { answers: self.clone(), challenge };
        self.routers.await_told(generation).await.then_some(answered)
    }

    /// Routers are told while the lock is held: they must not hear of a later change first.
    fn change(&self, change: impl FnOnce(&mut BTreeSet<Challenge>)) -> u64 {
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut challenges);
        self.routers.tell(challenges.iter().cloned().collect())
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.answers.change(|challenges| _ = challenges.remove(&self.challenge));
    }
}
