//! The hosts that the platform runs on: their engine, and what the cluster remembers about the platform.

mod document;
mod identity;
mod secrets;
mod state;
mod units;

use std::sync::Arc;

use anyhow::Context;

use deis_model::Ending;
use deis_scheduler::{Cluster, Engine, Options, SchedulerError};

use crate::platform::Platform;

pub(crate) use document::{Document, Documents};
pub(crate) use identity::{Identities, OPERATOR};
pub(crate) use secrets::Secrets;
#[cfg(test)]
pub(crate) use state::test_state;
pub(crate) use state::{Settings, State, is_of};
pub(crate) use units::{UnitWish, Wishes};

/// Names the platform's own containers on an engine: never mixed with those of apps.
pub(crate) const PLATFORM: &str = "deis-platform";

/// A cluster, as seen from this host.
#[derive(Clone)]
pub(crate) struct Fleet {
    /// Runs the platform's own workloads.
    pub(crate) engine: Engine,
    /// The hosts.
    pub(crate) cluster: Arc<dyn Cluster>,
    /// What the cluster remembers.
    pub(crate) documents: Documents,
}

impl Fleet {
    /// The cluster of `engine`; none if it is one that knows of none.
    pub(crate) fn new(engine: Engine) -> Option<Self> {
        let cluster = engine.cluster.clone()?;
        Some(Self { documents: Documents::new(Arc::clone(&cluster)), cluster, engine })
    }

    /// The engine of this host, whether or not it is part of a cluster yet.
    pub(crate) async fn open(platform: &Platform) -> anyhow::Result<Self> {
        let stop_grace = Ending::default().grace();
        let options = Options { platform: PLATFORM.to_owned(), stop_grace, ..Options::default() };
        let url = cluster_url(platform.scheduler());
        let engine = deis_scheduler::open(&url, options).await?;
        Self::new(engine)
            .with_context(|| format!("{url} is an engine that spans no hosts; use docker:// or swarm://"))
    }

    /// The cluster that this host manages, if it is one of ours: without it, the platform is on this machine alone.
    pub(crate) async fn if_any(platform: &Platform) -> anyhow::Result<Option<Self>> {
        let fleet = match Self::open(platform).await {
            // Whoever needs the engine says so; a platform on one machine is looked at without it.
            Err(_) => return Ok(None),
            Ok(fleet) => fleet,
        };
        match fleet.documents.read::<Settings>().await {
            Ok(settings) => Ok(settings.map(|_| fleet)),
            Err(SchedulerError::NoManager) => Ok(None),
            Err(error) => Err(error).context(
                "failed to read what the cluster remembers (more than half of its managers have to be up; a host that \
                 was removed from it is to `deisctl leave`)",
            ),
        }
    }
}

/// The URL of the same engine as one of many: `docker:///run/docker.sock` → `swarm:///run/docker.sock`.
fn cluster_url(url: &str) -> String {
    url.strip_prefix("docker://").map_or_else(|| url.to_owned(), |rest| format!("swarm://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_of_one_machine_is_asked_as_one_of_many() {
        for (url, expected) in [
            ("docker://", "swarm://"),
            ("docker:///run/docker.sock", "swarm:///run/docker.sock"),
            ("swarm://", "swarm://"),
            ("memory://", "memory://"),
        ] {
            assert_eq!(cluster_url(url), expected);
        }
    }
}
