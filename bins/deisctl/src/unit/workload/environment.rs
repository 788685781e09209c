//! The environment of a unit's containers: where they listen, where the others are, and what operators set.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::fleet::State;
use crate::unit::Unit;
use crate::unit::variable::VARIABLES;

use super::file::{IDENTITY, SECRETS, SETTINGS};
use super::{DATA, ENGINE};

/// How engines name the images of the platform: on every host an agent answers there.
const IMAGES: &str = "127.0.0.1:5000";
/// Replaced by the engine: the name of the host that a container is on.
const HOST_NAME: &str = "{{.Node.Hostname}}";

/// The whole environment of `unit`.
pub(super) fn environment(state: &State, unit: Unit) -> BTreeMap<String, String> {
    let fixed = [
        ("DEIS_HOST", HOST_NAME.to_owned()),
        ("DEIS_DATA_DIR", DATA.to_owned()),
        ("DEIS_CONFIG", SETTINGS.to_owned()),
        ("DEIS_IDENTITY", IDENTITY.to_owned()),
        ("DEIS_SECRETS_DIR", SECRETS.to_owned()),
    ];
    let set = VARIABLES.iter().filter(|variable| variable.units.contains(&unit));
    let set = set.filter_map(|variable| {
        Some((variable.name, state.settings.value(variable.target, variable.key)?.to_owned()))
    });
    // What an operator sets comes last: it replaces what is usual.
    let all = fixed.into_iter().chain(listens(unit)).chain(engine(unit)).chain(peers(state, unit)).chain(set);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where the unit listens, and what others are told about that by whoever listens elsewhere.
fn listens(unit: Unit) -> Vec<(&'static str, String)> {
    let everywhere = |port: u16| format!("0.0.0.0:{port}");
    let named: &[(&str, u16)] = match unit {
        Unit::Router => &[("DEIS_HTTP", 80), ("DEIS_HTTPS", 443), ("DEIS_GIT", 2222), ("DEIS_HEALTH", 9090)],
        // Tells pushers where their app answers.
        Unit::Builder => &[("DEIS_BUILDER", 2223), ("DEIS_HTTP", 80)],
        Unit::Controller => &[("DEIS_CONTROLLER", 8000)],
        Unit::Registry => &[("DEIS_REGISTRY_LISTEN", 5001)],
        Unit::Logger => &[("DEIS_LOGGER", 8088)],
        Unit::Database | Unit::Logspout | Unit::Publisher => &[],
    };
    let status = [("DEIS_STATUS", unit.status_port())];
    let images = [("DEIS_REGISTRY", IMAGES.to_owned())];
    let named = named.iter().chain(&status);
    named.map(|(name, port)| (*name, everywhere(*port))).chain(images).collect()
}

fn engine(unit: Unit) -> Option<(&'static str, String)> {
    let url = match unit {
        Unit::Controller => format!("swarm://{ENGINE}"),
        _ => format!("docker://{ENGINE}"),
    };
    unit.has_engine().then_some(("DEIS_SCHEDULER", url))
}

/// Where other units may be: every host of their plane, in one order.
fn peers(state: &State, unit: Unit) -> Vec<(&'static str, String)> {
    let database = || ("DEIS_DATABASE_MEMBERS", members(state));
    let others = || {
        vec![
            ("DEIS_CONTROLLERS", addresses(state, Unit::Controller)),
            ("DEIS_REGISTRIES", addresses(state, Unit::Registry)),
            ("DEIS_LOGGERS", addresses(state, Unit::Logger)),
            ("DEIS_BUILDERS", addresses(state, Unit::Builder)),
        ]
    };
    match unit {
        Unit::Database => vec![database()],
        Unit::Logger | Unit::Registry => Vec::new(),
        // Believes routers when they say who pushes.
        Unit::Builder => [others(), vec![("DEIS_ROUTERS", addresses(state, Unit::Router))]].concat(),
        // Keeps apps away from all of them.
        Unit::Publisher if !state.has_external_database() => [others(), vec![database()]].concat(),
        _ => others(),
    }
}

/// `host:port` of every host that `unit` may be on, separated by commas.
pub(crate) fn addresses(state: &State, unit: Unit) -> String {
    let port = unit.port().unwrap_or_default();
    let hosts = state.hosts_of(unit);
    hosts.map(|host| SocketAddr::new(host.address, port).to_string()).collect::<Vec<_>>().join(",")
}

/// `host=address` of every host that has the database, separated by commas.
fn members(state: &State) -> String {
    let hosts = state.hosts_of(Unit::Database);
    hosts.map(|host| format!("{}={}", host.name, host.address)).collect::<Vec<_>>().join(",")
}
