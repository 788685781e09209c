//! The network of apps: on each host a bridge of its own, described there, so that no packet of an app's is tunnelled.

use std::collections::HashMap;

use bollard::models::{ConfigReference, NetworkCreateRequest};

use super::Swarm;
use super::failure::refused;
use crate::SchedulerError;
use crate::docker::{device_name, present, uplink_mtu};

impl Swarm {
    /// The name of the network that services attach to.
    pub(super) fn network(&self) -> String {
        format!("{}-apps", self.local.options.network)
    }

    /// Describes the bridge of this host: a task finds it wherever it is placed.
    pub(super) async fn describe_bridge(&self) -> Result<(), SchedulerError> {
        let network = self.network();
        let mut options = HashMap::from([
            ("com.docker.network.bridge.name".to_owned(), device_name(&network)),
            // Containers reach the world and the host reaches them, but they not each other.
            ("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned()),
        ]);
        options.extend(uplink_mtu().map(|mtu| ("com.docker.network.driver.mtu".to_owned(), mtu.to_string())));
        let description = NetworkCreateRequest {
            name: description_name(&network),
            config_only: Some(true),
            options: Some(options),
            ..Default::default()
        };
        self.ensure(description).await
    }

    /// Makes the network of that description known to all hosts.
    pub(super) async fn ensure_network(&self) -> Result<(), SchedulerError> {
        let name = self.network();
        let from = ConfigReference { network: Some(description_name(&name)) };
        let network = NetworkCreateRequest {
            name,
            driver: Some("bridge".to_owned()),
            scope: Some("swarm".to_owned()),
            config_from: Some(from),
            ..Default::default()
        };
        self.ensure(network).await
    }

    async fn ensure(&self, wanted: NetworkCreateRequest) -> Result<(), SchedulerError> {
        let name = wanted.name.clone();
        if self.is_there(&wanted).await? {
            return Ok(());
        }
        match self.client().create_network(wanted.clone()).await {
            Ok(_) => Ok(()),
            // Somebody else was faster.
            Err(_) if self.is_there(&wanted).await? => Ok(()),
            Err(error) => Err(self.failed("create network", &name, &error)),
        }
    }

    async fn is_there(&self, wanted: &NetworkCreateRequest) -> Result<bool, SchedulerError> {
        let found = present(self.client().inspect_network(&wanted.name, None).await);
        let found = found.map_err(|error| self.failed("inspect network", &wanted.name, &error))?;
        let Some(found) = found else { return Ok(false) };
        let source = |from: Option<&ConfigReference>| {
            from.and_then(|from| from.network.clone()).filter(|name| !name.is_empty())
        };
        let alike = found.config_only.unwrap_or(false) == wanted.config_only.unwrap_or(false)
            && source(found.config_from.as_ref()) == source(wanted.config_from.as_ref());
        match alike {
            true => Ok(true),
            false => Err(refused(
                "use network",
                &wanted.name,
                "it exists but was not made by the platform; remove it or name another network",
            )),
        }
    }
}

fn description_name(network: &str) -> String {
    format!("{network}-host")
}
