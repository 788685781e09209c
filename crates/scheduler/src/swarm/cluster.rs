//! The cluster's hosts and documents, as asked of a manager.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{NodeSpec, NodeSpecAvailabilityEnum as Availability, NodeSpecRoleEnum as Role};
use bollard::query_parameters::{DeleteNodeOptionsBuilder, UpdateNodeOptionsBuilder};
use tokio::time::Instant;

use super::Swarm;
use super::failure::refused;
use crate::docker::{present, status};
use crate::{Cluster, ClusterHost, HostState, SchedulerError, Ticket};

/// How often a change is tried again that somebody else's came between.
const TRIES: usize = 10;

/// How long the managers may take to let go of one of them that was demoted.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);

/// Between tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(300);

#[async_trait]
impl Cluster for Swarm {
    async fn init(&self, address: IpAddr) -> Result<(), SchedulerError> {
        self.init_cluster(address).await
    }

    async fn join(&self, ticket: &Ticket, address: IpAddr) -> Result<(), SchedulerError> {
        self.join_cluster(ticket, address).await
    }

    async fn leave(&self) -> Result<(), SchedulerError> {
        self.leave_cluster().await
    }

    async fn ticket(&self, manager: bool) -> Result<Ticket, SchedulerError> {
        self.let_in(manager).await
    }

    async fn hosts(&self) -> Result<Vec<ClusterHost>, SchedulerError> {
        self.nodes().await
    }

    async fn this_host(&self) -> Result<String, SchedulerError> {
        self.host_name().await
    }

    async fn label(&self, host: &str, key: &str, value: Option<&str>) -> Result<(), SchedulerError> {
        let id = self.find(host).await?.id;
        let change = |spec: &mut NodeSpec| {
            let labels = spec.labels.get_or_insert_default();
            match value {
                Some(value) => drop(labels.insert(key.to_owned(), value.to_owned())),
                None => drop(labels.remove(key)),
            }
        };
        self.change(&id, change).await
    }

    async fn drain(&self, host: &str, drained: bool) -> Result<(), SchedulerError> {
        let id = self.find(host).await?.id;
        let wanted = if drained { Availability::DRAIN } else { Availability::ACTIVE };
        self.change(&id, |spec| spec.availability = Some(wanted)).await
    }

    async fn promote(&self, host: &str, manager: bool) -> Result<(), SchedulerError> {
        let id = self.find(host).await?.id;
        self.set_manager(&id, manager).await
    }

    async fn remove(&self, host: &str) -> Result<(), SchedulerError> {
        let this = self.member().await?.node_id.unwrap_or_default();
        let mut named = self.nodes().await?;
        named.retain(|found| found.name == host);
        // One that came back under the same name is not the one to forget.
        if named.iter().any(|found| found.state == HostState::Down) {
            named.retain(|found| found.state == HostState::Down);
        }
        if named.iter().any(|found| found.id == this) {
            return Err(refused("remove host", host, "it is the one that was asked; ask another"));
        }
        for found in named {
            self.forget(&found).await?;
        }
        Ok(())
    }

    async fn placements(&self) -> Result<BTreeMap<String, String>, SchedulerError> {
        self.places().await
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, SchedulerError> {
        self.read_document(name).await
    }

    async fn write(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        contents: &[u8],
    ) -> Result<(), SchedulerError> {
        self.write_document(name, expected, contents).await
    }
}

impl Swarm {
    /// Makes the host with this id a manager, or a worker.
    pub(super) async fn set_manager(&self, id: &str, manager: bool) -> Result<(), SchedulerError> {
        let role = if manager { Role::MANAGER } else { Role::WORKER };
        self.change(id, |spec| spec.role = Some(role)).await
    }

    async fn find(&self, host: &str) -> Result<ClusterHost, SchedulerError> {
        let mut named: Vec<_> = self.nodes().await?.into_iter().filter(|found| found.name == host).collect();
        // One that is lost may have come back under the same name.
        named.sort_by_key(|found| found.state == HostState::Down);
        let found = named.into_iter().next();
        found.ok_or_else(|| refused("find", host, "the cluster has no such host"))
    }

    async fn change(&self, id: &str, change: impl Fn(&mut NodeSpec)) -> Result<(), SchedulerError> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = self.change_once(id, &change).await;
            if !matches!(outcome, Err(SchedulerError::Conflict { .. })) {
                break;
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        outcome
    }

    async fn change_once(&self, id: &str, change: impl Fn(&mut NodeSpec)) -> Result<(), SchedulerError> {
        let node = self.client().inspect_node(id).await;
        let node = node.map_err(|error| self.failed("ask for host", id, &error))?;
        let before = node.spec.unwrap_or_default();
        let mut spec = before.clone();
        change(&mut spec);
        if spec == before {
            return Ok(());
        }
        let version = node.version.and_then(|version| i64::try_from(version.index?).ok()).unwrap_or(0);
        let options = UpdateNodeOptionsBuilder::new().version(version).build();
        let updated = self.client().update_node(id, spec, options).await;
        updated.map_err(|error| self.failed("change host", id, &error))
    }

    async fn forget(&self, host: &ClusterHost) -> Result<(), SchedulerError> {
        if host.manager {
            self.set_manager(&host.id, false).await?;
        }
        let deadline = Instant::now() + REMOVED_WITHIN;
        loop {
            let options = DeleteNodeOptionsBuilder::new().force(true).build();
            match present(self.client().delete_node(&host.id, Some(options)).await) {
                Ok(_) => return Ok(()),
                // The managers have not let go of it yet.
                Err(error) if status(&error) == Some(400) && Instant::now() < deadline => {}
                Err(error) => return Err(self.failed("remove host", &host.name, &error)),
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }
}
