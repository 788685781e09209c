//! The builder, and what its builds get from this process's environment.

use std::net::SocketAddr;

use deis_builder::{HostKey, Routers};
use deis_model::Environment;
use deis_runtime::{Role, StatusBoard};
use deis_scheduler::Engine;

use super::{Parts, Running};

/// Variables of this process that builds get as well: proxies and package mirrors.
const BUILD_VARIABLES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "NPM_CONFIG_REGISTRY",
];

impl Parts {
    pub(super) async fn builder(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let settings = &self.settings;
        let credentials = self.registry_credentials();
        let mut config = deis_builder::Config::new(&self.data, &self.secrets.internal_key, credentials)?;
        config.listen = settings.builder;
        config.routers = Routers(settings.routers.iter().map(SocketAddr::ip).collect());
        config.controller = self.client(&settings.controllers, Role::Controller);
        config.registry = settings.registry.to_string();
        config.mirror = self.mirror().await?;
        if self.identity.is_some() {
            config.host_key = HostKey::Derived;
        }
        config.stack_image.clone_from(&settings.stack_image);
        config.build_environment = build_environment();
        config.router_port = settings.http.first().map(SocketAddr::port).filter(|port| *port != 80);
        let builder = deis_builder::Builder::bind(config, engine.images, status).await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(builder.run(shutdown).await?) }))
    }
}

/// What builds need to reach package indexes from where this process runs.
fn build_environment() -> Environment {
    let set = BUILD_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    Environment(set.collect())
}
