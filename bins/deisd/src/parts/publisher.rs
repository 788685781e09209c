//! The publisher, with all else that each host needs of the platform: its images and its firewall.

use deis_agent::firewall::Firewall;
use deis_agent::images::{self, Forwarder};
use deis_runtime::{Role, StatusBoard};
use deis_scheduler::Engine;

use super::address::is_here;
use super::{Parts, Running};

impl Parts {
    pub(super) async fn publisher(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let controller = self.client(&self.settings.controllers, Role::Controller);
        let config = deis_agent::publisher::Config { host: self.settings.host.clone(), engine, controller };
        let forwarder = self.forwarder(&status).await?;
        let firewall = self.identity.as_ref().map(|_| Firewall::new(self.settings.roles(), status.clone()));
        let publisher = deis_agent::publisher::Publisher::open(config, status);
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move {
            let forwarding = async {
                match forwarder {
                    Some(forwarder) => forwarder.run(shutdown.clone()).await,
                    None => Ok(()),
                }
            };
            let guarding = async {
                match firewall {
                    Some(firewall) => firewall.run(shutdown.clone()).await,
                    None => Ok(()),
                }
            };
            tokio::try_join!(publisher.run(shutdown.clone()), forwarding, guarding).map(drop)
        }))
    }

    /// Images for the engine of this host, where the registry is elsewhere.
    async fn forwarder(&self, status: &StatusBoard) -> anyhow::Result<Option<Forwarder>> {
        if self.settings.registries.contains(&self.settings.registry) {
            return Ok(None);
        }
        let config = images::Config {
            listen: self.settings.registry,
            registry: self.registry_client(),
            pushes: self.settings.builders.iter().any(|address| is_here(*address)),
        };
        Forwarder::bind(config, status.clone()).await.map(Some)
    }
}
