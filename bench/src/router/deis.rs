//! `deisd run router`, with its defaults.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use deis_api::internal::PlatformRoutes;
use deis_model::{AppId, AppRoute, ContainerName, Endpoint};
use deis_tests::free_address;

use super::certificate::Certificate;
use super::place::Place;

/// How it is started.
pub(super) fn command(place: &Place) -> Command {
    let own = std::env::current_exe().expect("a program knows its own path");
    let mut command = Command::new(own.with_file_name("deisd"));
    command.args(["run", "router"]).env("DEIS_DATA_DIR", place.directory.join("deis"));
    let [git, health] = [free_address(), free_address()];
    let addresses = [
        ("HTTP", place.plain),
        ("HTTPS", place.tls),
        ("GIT", git),
        ("HEALTH", health),
        ("CONTROLLER", place.controller),
    ];
    command.envs(addresses.map(|(key, address)| (format!("DEIS_{key}"), address.to_string())));
    command
}

/// The route of the app of this number.
pub(super) fn route(number: usize, upstream: SocketAddr) -> AppRoute {
    let app = AppId::parse(&format!("app-{number}")).expect("a name");
    let container = ContainerName::parse(&format!("{app}_v2.web.1")).expect("a name");
    AppRoute {
        hosts: vec![super::host(number)],
        endpoints: vec![Endpoint { container, address: upstream }],
        ..AppRoute::new(app)
    }
}

/// What the mesh is set to: the certificate, and else nothing.
pub(super) fn platform(certificate: &Certificate) -> PlatformRoutes {
    let settings = [("sslCert", &certificate.chain), ("sslKey", &certificate.key)];
    let settings: BTreeMap<_, _> = settings.map(|(key, value)| (key.to_owned(), value.clone())).into();
    PlatformRoutes { settings, ..PlatformRoutes::default() }
}
