//! What has drained: containers that left the table and have no request under way any more may stop.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use deis_api::internal::MAX_DRAINING;
use deis_model::ContainerName;

use crate::endpoint::Endpoint;

/// Endpoints that have left the table with requests under way.
#[derive(Default)]
pub(crate) struct Drain {
    leaving: Mutex<Vec<Leaving>>,
    /// Told when an endpoint is retired and when the last request to a retired one ended.
    pub(crate) changed: Arc<Notify>,
}

/// What to report of a table in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The newest generation, at most the one in force, by which no endpoint left that still has a request under way.
    pub(crate) drained: u64,
    /// The containers that left and still have requests under way, sorted; none if there are too many to list.
    pub(crate) draining: Option<Vec<ContainerName>>,
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

    /// How far the table of generation `applied`, which is in force, has drained.
    pub(crate) fn progress(&self, applied: u64) -> Progress {
        let mut leaving = self.lock();
        leaving.retain(|leaving| leaving.endpoint.in_flight() > 0);
        let first = leaving.iter().map(|leaving| leaving.generation).min();
        let drained = first.map_or(applied, |first| first.saturating_sub(1).min(applied));
        let busy: BTreeSet<_> = leaving.iter().filter_map(|leaving| leaving.endpoint.container()).collect();
        let draining = (busy.len() <= MAX_DRAINING).then(|| busy.into_iter().cloned().collect());
        Progress { drained, draining }
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
        assert_eq!(drain.progress(8).drained, 4);
        drain.changed.notified().await;
        drop(one);
        drain.changed.notified().await;
        assert_eq!(drain.progress(8).drained, 6);
        drop(two);
        assert_eq!(drain.progress(8).drained, 8);
    }

    #[test]
    fn endpoints_without_requests_drain_at_once() {
        let drain = Drain::default();
        let endpoint = endpoint(&drain);
        drain.retire(5, vec![endpoint]);
        assert_eq!(drain.progress(5).drained, 5);
    }

    #[test]
    fn requests_of_an_earlier_incarnation_hold_back_the_next() {
        let drain = Drain::default();
        let endpoint = endpoint(&drain);
        let _flight = endpoint.board();
        drain.retire(900, vec![endpoint]);
        drain.recount();
        assert_eq!(drain.progress(3).drained, 0);
    }

    fn named(drain: &Drain, name: &str) -> Arc<Endpoint> {
        let container = ContainerName::parse(name).unwrap();
        Arc::new(Endpoint::new(([127, 0, 0, 1], 1).into(), Some(container), 1, Arc::clone(&drain.changed)))
    }

    #[test]
    fn only_containers_with_requests_under_way_are_draining() {
        let drain = Drain::default();
        let (busy, idle) = (named(&drain, "a_v1.web.1"), named(&drain, "b_v1.web.1"));
        let flight = busy.board();
        drain.retire(4, vec![busy, idle]);
        let progress = drain.progress(9);
        let names = progress.draining.unwrap();
        assert_eq!((progress.drained, names), (4, vec![ContainerName::parse("a_v1.web.1").unwrap()]));
        drop(flight);
        assert_eq!(drain.progress(9), Progress { drained: 9, draining: Some(vec![]) });
    }

    #[test]
    fn too_many_to_list_are_not_listed() {
        let drain = Drain::default();
        let many: Vec<_> =
            (0..=MAX_DRAINING).map(|number| named(&drain, &format!("a_v1.web.{}", number + 1))).collect();
        let flights: Vec<_> = many.iter().map(Endpoint::board).collect();
        drain.retire(4, many);
        assert_eq!(drain.progress(9), Progress { drained: 4, draining: None });
        drop(flights);
    }
}
