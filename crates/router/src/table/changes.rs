//! Any sequence of changes leads to the table that is built from where it ended.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::net::SocketAddr;

use deis_api::internal::RoutesResponse;
use deis_model::{AppRoute, ContainerName, Endpoint as RoutedEndpoint};

use super::*;
use crate::config::Config;
use crate::maker::Maker;
use crate::routes::{News, Routes};

const HOSTS: [&str; 8] =
    ["a.test", "b.test", "*.test", "*.c.test", "x.c.test", "deis.test", "*.x.c.test", "A.Test"];
const ASKED: [&str; 10] = [
    "a.test",
    "b.test",
    "d.test",
    "c.test",
    "x.c.test",
    "y.c.test",
    "z.x.c.test",
    "deis.test",
    "test",
    "other",
];
const APPS: [&str; 4] = ["aa", "bb", "cc", "dd"];
const SETTINGS: [(&str, &str); 4] =
    [("bodySize", "2m"), ("bodySize", "3m"), ("maintenance", "on"), ("proxyProtocol", "on")];

fn route(random: &mut StdRng, app: &str) -> AppRoute {
    let number = |random: &mut StdRng| random.random_range(1..4_u16);
    let endpoint = |number| RoutedEndpoint {
        container: ContainerName::parse(&format!("{app}_v2.web.{number}")).unwrap(),
        address: ([127, 0, 0, 1], 5000 + number).into(),
    };
    let numbers: BTreeSet<u16> = (0..random.random_range(0..3)).map(|_| number(random)).collect();
    let hosts: BTreeSet<_> = (0..random.random_range(0..4)).map(|_| *HOSTS.choose(random).unwrap()).collect();
    let count = random.random_range(0..2);
    let settings = SETTINGS.choose_multiple(random, count);
    AppRoute {
        hosts: hosts.into_iter().map(str::to_owned).collect(),
        endpoints: numbers.into_iter().map(endpoint).collect(),
        settings: settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..AppRoute::new(AppId::parse(app).unwrap())
    }
}

/// An answer of the controller's that changes something at random.
fn change(random: &mut StdRng, generation: u64, platform: &PlatformRoutes) -> RoutesResponse {
    let mut platform = platform.clone();
    if random.random_ratio(1, 4) {
        platform.controllers =
            (0..random.random_range(0..3)).map(|n| ([127, 0, 0, 1], 8000 + n).into()).collect();
        platform.controller_hosts =
            HOSTS[4..6].choose_multiple(random, 1).map(|host| (*host).to_owned()).collect();
        let count = random.random_range(0..3);
        let settings = SETTINGS.choose_multiple(random, count);
        platform.settings = settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    }
    let (mut routes, mut removed) = (Vec::new(), Vec::new());
    for app in APPS {
        match random.random_range(0..4) {
            0 => routes.push(route(random, app)),
            1 => removed.push(AppId::parse(app).unwrap()),
            _ => {}
        }
    }
    RoutesResponse { epoch: "e".to_owned(), generation, full: generation == 1, routes, removed, platform }
}

/// All that can be seen of a table.
fn seen(table: &Table) -> impl PartialEq + std::fmt::Debug {
    let addresses = |service: &Service| -> Vec<SocketAddr> {
        service.endpoints.iter().map(|endpoint| endpoint.address).collect()
    };
    let found: Vec<_> = ASKED
        .iter()
        .map(|host| {
            let service = table.find(host);
            service.map(|service| (service.app().cloned(), addresses(service), Arc::clone(&service.rules)))
        })
        .collect();
    let endpoints: BTreeSet<_> = table.endpoints().map(|endpoint| endpoint.address).collect();
    (table.generation, Arc::clone(&table.mesh), table.app_count(), endpoints, found)
}

#[test]
fn changes_lead_where_building_anew_does() {
    for seed in 0..40 {
        let mut random = StdRng::seed_from_u64(seed);
        let maker = Maker::new(&Config::new("key", "/nowhere"), Arc::default());
        let (mut routes, mut table) = (Routes::default(), Table::default());
        for generation in 1..40 {
            let news = routes.apply(change(&mut random, generation, &routes.platform)).unwrap();
            let (next, left) = match news {
                News::Some(changes) => maker.update(&routes, &table, &changes),
                News::All => {
                    let next = maker.build(&routes, &table);
                    let left = table.left_by(&next);
                    (next, left)
                }
                News::Nothing => continue,
            };
            let anew = maker.build(&routes, &Table::default());
            assert_eq!(
                format!("{:?}", seen(&next)),
                format!("{:?}", seen(&anew)),
                "seed {seed}, {generation}"
            );
            let pointers = |endpoints: Vec<Arc<Endpoint>>| -> BTreeSet<*const Endpoint> {
                endpoints.iter().map(Arc::as_ptr).collect()
            };
            assert_eq!(pointers(left), pointers(table.left_by(&next)), "seed {seed}, {generation}");
            table = next;
        }
    }
}
