//! A platform on three hosts, stood up with the operator's commands: what holds on one machine holds there.

use deis_tests::scenario::{examples, journey};
use deis_tests::{Cluster, Database, Host, Plan, Site, has_lab};

/// How long a release may take to be ready there: each host fetches the image first, all of it the first time.
const READY_SECONDS: u32 = 120;
/// A server on every host that is no registry: the router's health check.
const NO_REGISTRY: &str = "127.0.0.1:9090";
/// Tries to connect to `ADDRESS PORT`; ends with 0 if somebody listens there and is reached.
const CONNECT: &str = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)";
/// Ports of roles that listen on every host of this plan: controller, registry.
const CLOSED: [&str; 2] = ["8000", "5001"];

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
    containers_reach_neither_each_other_nor_roles(&cluster);
}

/// Each of two containers on one host is up and reached by visitors, but not by the other.
fn containers_reach_neither_each_other_nor_roles(cluster: &Cluster) {
    let user = cluster.user("gwen");
    let app = user.create_app("crowd", "worker-python");
    app.push().succeeded();
    user.deis_in(app.path(), &["ps:scale", "web=4"]).succeeded();
    let hosts = cluster.lab().hosts().iter();
    let (host, ids) =
        hosts.map(|host| (host, crowd(host))).find(|(_, ids)| ids.len() > 1).expect("4 on 3 hosts");
    let ask = |id: &str, what: &[&str]| host.docker(&[&["exec", id], what].concat());
    let own = ask(&ids[0], &["sh", "-c", &format!("exec python3 -c '{CONNECT}' 127.0.0.1 $PORT")]);
    own.succeeded();
    let port = ask(&ids[1], &["printenv", "PORT"]).succeeded().stdout;
    let inspect =
        ["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &ids[1]];
    let neighbour = host.docker(&inspect).succeeded().stdout;
    let connect = |address: &str, port: &str| ask(&ids[0], &["python3", "-c", CONNECT, address, port]);
    connect(neighbour.trim(), port.trim()).failed_with("timed out");
    for (host, port) in cluster.lab().hosts().iter().flat_map(|host| CLOSED.map(|port| (host, port))) {
        connect(&host.address().to_string(), port).failed_with("refused");
    }
    user.deis_in(app.path(), &["destroy", "--confirm=crowd"]).succeeded();
}

/// The ids of the containers of the app on `host`.
fn crowd(host: &Host) -> Vec<String> {
    let listed = host.docker(&["ps", "--quiet", "--filter", "label=io.deis.app=crowd"]).succeeded().stdout;
    listed.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn planes_may_have_hosts_of_their_own() {
    if !has_lab() {
        return;
    }
    let planes = vec!["control", "router", "data", "data"];
    let plan = Plan { planes, database: Database::External, ready_seconds: READY_SECONDS, ..Plan::default() };
    let cluster = Cluster::start(&plan);
    journey::ships_configures_scales_and_rolls_back(&cluster);
}
