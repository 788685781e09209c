//! Which generations have drained: containers that left the table by then have no request under way and may stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::endpoint::Endpoint;

/// Endpoints that have left the table with requests under way.
#[derive(Default)]
pub(crate) struct Drain {
    leaving: Mutex<Vec<Leaving>>,
    /// Told when an endpoint is retired and when the last request to a retired one ended.
    pub(crate) changed: Arc<Notify>,
}

struct Leaving {
    /// The first generation that may be without it.
    generation: u64,
    endpoint: Arc<Endpoint>,
}

impl Drain {
    /// Retires `endpoints`, which the table in force no longer holds and the one of `last` still held.
    ///
    /// They count as gone since the generation after `last`: which of those skipped did away with them is not known.
    pub(crate) fn retire(&self, last: u64, endpoints: Vec<Arc<Endpoint>>) {
        let mut leaving = self.lock();
        for endpoint in endpoints {
            endpoint.retire();
            leaving.push(Leaving { generation: last + 1, endpoint });
        }
    }

    /// Another incarnation of the controller counts anew: what was leaving may be gone since its first generation.
    pub(crate) fn recount(&self) {
        for leaving in self.lock().iter_mut() {
            leaving.generation = 1;
        }
    }

    /// The newest generation, at most `applied`, by which no endpoint left that still has a request under way.
    pub(crate) fn drained(&self, applied: u64) -> u64 {
        let mut leaving = self.lock();
        leaving.retain(|leaving| leaving.endpoint.in_flight() > 0);
        let first = leaving.iter().map(|leaving| leaving.generation).min();
        first.map_or(applied, |first| first.saturating_sub(1).min(applied))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Leaving>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(drain: &Drain) -> Arc<Endpoint> {
        Arc::new(Endpoint::new(([127, 0, 0, 1], 1).into(), None, 1, Arc::clone(&drain.changed)))
    }

    #[tokio::test]
    async fn a_generation_drains_when_its_last_request_ends() {
        let drain = Drain::default();
        let (first, second) = (endpoint(&drain), endpoint(&drain));
        let (one, two) = (first.board(), second.board());
        drain.retire(4, vec![first]);
        drain.retire(6, vec![second]);
        assert_eq!(drain.drained(8), 4);
        drain.changed.notified().await;
        drop(one);
        drain.changed.notified().await;
        assert_eq!(drain.drained(8), 6);
        drop(two);
        assert_eq!(drain.drained(8), 8);
    }

    #[test]
    fn endpoints_without_requests_drain_at_once() {
        let drain = Drain::default();
        let endpoint = endpoint(&drain);
        drain.retire(5, vec![endpoint]);
        assert_eq!(drain.drained(5), 5);
    }

    #[test]
    fn requests_of_an_earlier_incarnation_hold_back_the_next() {
        let drain = Drain::default();
        let endpoint = endpoint(&drain);
        let _flight = endpoint.board();
        drain.retire(900, vec![endpoint]);
        drain.recount();
        assert_eq!(drain.drained(3), 0);
    }
}
