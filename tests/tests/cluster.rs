//! A platform on three hosts, stood up with the operator's commands: what holds on one machine holds there.

use deis_tests::scenario::{examples, journey};
use deis_tests::{Cluster, Database, Plan, has_lab};

/// How long a release may take to be ready there: each host fetches the image first, all of it the first time.
const READY_SECONDS: u32 = 120;
/// A server on every host that is no registry: the router's health check.
const NO_REGISTRY: &str = "127.0.0.1:9090";

#[test]
fn three_servers_serve_as_one_machine_does() {
    if !has_lab() {
        return;
    }
    let plan = Plan { database: Database::External, ready_seconds: READY_SECONDS, ..Plan::default() };
    let cluster = Cluster::start(&plan);
    journey::ships_configures_scales_and_rolls_back(&cluster);
    journey::a_broken_push_changes_nothing(&cluster, READY_SECONDS);
    journey::what_cannot_be_built_is_refused_with_the_reason(&cluster, NO_REGISTRY);
    examples::every_example_is_pushed_answers_and_is_destroyed(&cluster);
    examples::an_app_of_several_process_types_runs_them_all(&cluster);
}

#[test]
fn planes_may_have_hosts_of_their_own() {
    if !has_lab() {
        return;
    }
    let planes = vec!["control", "router", "data", "data"];
    let plan = Plan { planes, database: Database::External, ready_seconds: READY_SECONDS };
    let cluster = Cluster::start(&plan);
    journey::ships_configures_scales_and_rolls_back(&cluster);
}
