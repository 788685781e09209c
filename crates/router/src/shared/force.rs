//! Putting tables in force, one after the other.

use std::sync::Arc;

use super::Shared;
use crate::config::Config;
use crate::routes::{Changes, News, Routes};
use crate::service::Service;
use crate::table::Table;

impl Shared {
    /// Puts `routes` in force, which follow on those of generation `last` (0 if they count anew) and differ from them by
    /// `news`. Called by one task only.
    pub(crate) fn enforce(&self, routes: &Routes, last: u64, news: &News) {
        let previous = self.table.load_full();
        let (next, left) = match news {
            News::Some(changes) => self.maker.update(routes, &previous, changes),
            News::All | News::Nothing => {
                let next = self.maker.build(routes, &previous);
                let left = previous.left_by(&next);
                (next, left)
            }
        };
        if !matches!(news, News::Some(Changes { platform: false, .. })) {
            self.tls.enforce(&next.mesh, &routes.platform.ticket_keys);
            let limit = most_visitors(&self.config, &next);
            self.places.resize(limit);
            self.visitors.resize(limit);
        }
        // First the table, then the retirement: a request that finds its endpoint retired must find another table.
        self.table.store(next.into());
        self.drain.retire(last, left);
        self.call_waiting(&previous, news);
        self.changed.send_replace(routes.generation);
    }

    /// Calls requests that wait for what `news` may have brought.
    fn call_waiting(&self, previous: &Table, news: &News) {
        let call = |service: &Arc<Service>| service.reserve.queue.call();
        match news {
            News::Nothing => {}
            News::Some(changes) if !changes.platform => {
                changes.apps.iter().filter_map(|app| previous.apps.get(app)).for_each(call);
            }
            News::Some(_) | News::All => previous.services().for_each(call),
        }
    }
}

/// How many visitors' connections there may be at a time.
pub(super) fn most_visitors(config: &Config, table: &Table) -> usize {
    let wanted = table.mesh.connections.and_then(|count| usize::try_from(count).ok());
    wanted.unwrap_or(config.limits.connections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deis_api::internal::PlatformRoutes;

    fn routes(generation: u64, ports: &[u16]) -> Routes {
        let platform = PlatformRoutes {
            controller_hosts: vec!["deis.example.com".to_owned()],
            controllers: ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect(),
            ..PlatformRoutes::default()
        };
        Routes { epoch: "e".to_owned(), generation, platform, ..Routes::default() }
    }

    fn board(shared: &Shared) -> crate::endpoint::Flight {
        shared.table.load().find("deis.example.com").unwrap().endpoints[0].board().unwrap()
    }

    #[test]
    fn an_endpoint_may_have_left_with_any_generation_that_was_skipped() {
        let shared = Shared::new(Config::new("key", "/nowhere"), &routes(5, &[1]));
        let flight = board(&shared);
        shared.enforce(&routes(9, &[2]), 5, &News::All);
        assert_eq!(shared.drain.progress(9).drained, 5);
        drop(flight);
        assert_eq!(shared.drain.progress(9).drained, 9);
    }

    #[test]
    fn an_endpoint_that_a_new_incarnation_does_not_know_holds_back_all_its_generations() {
        let shared = Shared::new(Config::new("key", "/nowhere"), &routes(900, &[1]));
        let _flight = board(&shared);
        shared.enforce(&routes(3, &[2]), 0, &News::All);
        assert_eq!(shared.drain.progress(3).drained, 0);
    }

    #[test]
    fn requests_go_by_the_new_table_as_soon_as_it_is_in_force() {
        let shared = Shared::new(Config::new("key", "/nowhere"), &routes(1, &[1]));
        let old = shared.table.load_full();
        shared.enforce(&routes(2, &[2]), 1, &News::All);
        assert!(old.find("deis.example.com").unwrap().endpoints[0].board().is_none());
        assert_eq!(board(&shared).endpoint().address.port(), 2);
    }
}
