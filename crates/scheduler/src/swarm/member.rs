//! This host as a member of a cluster: coming, going, letting others in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bollard::models::{
    LocalNodeState, SwarmInfo, SwarmInitRequest, SwarmJoinRequest, SwarmSpec, SwarmSpecDispatcher,
    SwarmSpecOrchestration,
};
use bollard::query_parameters::LeaveSwarmOptionsBuilder;
use tokio::time::Instant;
use tracing::warn;

use super::Swarm;
use super::apply::ASK_AGAIN_AFTER;
use super::failure::refused;
use crate::docker::{away, status};
use crate::{SchedulerError, Ticket};

/// Where managers listen for hosts, on every address of theirs.
const LISTEN: &str = "0.0.0.0:2377";
const PORT: u16 = 2377;

/// How often a host tells that it is there, in nanoseconds. Three that fail to come make it lost.
const HEARTBEAT: i64 = 1_000_000_000;

/// Ended tasks that are kept of each container: more than the crashes that make a release fail.
const HISTORY: i64 = 5;

/// The network for published ports of Docker Swarm's own mesh, which no service of ours uses.
const INGRESS: &str = "ingress";

/// How long joining, and giving up what only managers have, may take.
const JOINED_WITHIN: Duration = Duration::from_secs(60);
const DEMOTED_WITHIN: Duration = Duration::from_secs(20);

impl Swarm {
    pub(super) async fn init_cluster(&self, address: IpAddr) -> Result<(), SchedulerError> {
        let member = self.member().await?;
        if is_active(&member) && member.control_available != Some(true) {
            return Err(SchedulerError::NoManager);
        }
        if is_active(&member) {
            return Ok(());
        }
        let request = SwarmInitRequest {
            listen_addr: Some(LISTEN.to_owned()),
            advertise_addr: Some(advertised(address)),
            spec: Some(SwarmSpec {
                orchestration: Some(SwarmSpecOrchestration { task_history_retention_limit: Some(HISTORY) }),
                dispatcher: Some(SwarmSpecDispatcher { heartbeat_period: Some(HEARTBEAT) }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let made = self.client().init_swarm(request).await;
        made.map_err(|error| self.failed("make a cluster at", &address.to_string(), &error))?;
        // It would take a subnet that may be in use, for nothing.
        if let Err(error) = self.client().remove_network(INGRESS).await {
            warn!(%error, "failed to remove the network of Docker Swarm's own mesh");
        }
        Ok(())
    }

    pub(super) async fn join_cluster(&self, ticket: &Ticket, address: IpAddr) -> Result<(), SchedulerError> {
        let member = self.member().await?;
        if is_active(&member) {
            return match manages(&member, &ticket.manager) {
                true => Ok(()),
                false => Err(refused(
                    "join",
                    &ticket.manager,
                    "this host is part of another cluster; leave it first",
                )),
            };
        }
        let request = SwarmJoinRequest {
            listen_addr: Some(LISTEN.to_owned()),
            advertise_addr: Some(advertised(address)),
            remote_addrs: Some(vec![ticket.manager.clone()]),
            join_token: Some(ticket.token.clone()),
            ..Default::default()
        };
        match self.client().join_swarm(request).await {
            // It goes on in the background.
            Err(error) if status(&error) == Some(503) => {}
            joined => joined.map_err(|error| self.failed("join", &ticket.manager, &error))?,
        }
        self.await_membership(&ticket.manager).await
    }

    async fn await_membership(&self, manager: &str) -> Result<(), SchedulerError> {
        let deadline = Instant::now() + JOINED_WITHIN;
        loop {
            let member = self.member().await?;
            if is_active(&member) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let reason = member.error.filter(|error| !error.is_empty());
                return Err(refused(
                    "join",
                    manager,
                    reason.unwrap_or_else(|| "it does not answer".to_owned()),
                ));
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
    }

    pub(super) async fn leave_cluster(&self) -> Result<(), SchedulerError> {
        let member = self.member().await?;
        if member
            .local_node_state
            .is_none_or(|state| matches!(state, LocalNodeState::INACTIVE | LocalNodeState::EMPTY))
        {
            return Ok(());
        }
        // A manager that just goes stays in the others' count, and they stop deciding one loss earlier.
        let manages = member.control_available == Some(true);
        if manages
            && member.managers.is_some_and(|managers| managers > 1)
            && let Err(error) = self.give_up_managing(&member).await
        {
            warn!(%error, "failed to give up managing before leaving");
        }
        let options = LeaveSwarmOptionsBuilder::new().force(true).build();
        match self.client().leave_swarm(Some(options)).await {
            Err(error) if status(&error) == Some(503) => Ok(()),
            left => left.map_err(|error| self.failed("leave", "the cluster", &error)),
        }
    }

    async fn give_up_managing(&self, member: &SwarmInfo) -> Result<(), SchedulerError> {
        let id = member.node_id.as_deref().unwrap_or_default();
        self.set_manager(id, false).await?;
        let deadline = Instant::now() + DEMOTED_WITHIN;
        while Instant::now() < deadline && self.member().await?.control_available == Some(true) {
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        Ok(())
    }

    pub(super) async fn let_in(&self, manager: bool) -> Result<Ticket, SchedulerError> {
        let cluster = self.client().inspect_swarm().await;
        let cluster = cluster.map_err(|error| self.failed("ask for", "a ticket", &error))?;
        let tokens = cluster.join_tokens.unwrap_or_default();
        let token = if manager { tokens.manager } else { tokens.worker };
        let address = self.member().await?.node_addr.and_then(|address| address.parse().ok());
        match (token, address) {
            (Some(token), Some(address)) => {
                Ok(Ticket { manager: SocketAddr::new(address, PORT).to_string(), token })
            }
            _ => Err(refused("ask for", "a ticket", "the engine gives none")),
        }
    }

    /// What the engine says of this host's membership.
    pub(super) async fn member(&self) -> Result<SwarmInfo, SchedulerError> {
        let info = self.client().info().await.map_err(|error| away(self.local.socket(), &error))?;
        Ok(info.swarm.unwrap_or_default())
    }

    pub(super) async fn host_name(&self) -> Result<String, SchedulerError> {
        let info = self.client().info().await.map_err(|error| away(self.local.socket(), &error))?;
        info.name.ok_or_else(|| refused("ask for", "this host's name", "the engine does not tell it"))
    }
}

fn is_active(member: &SwarmInfo) -> bool {
    member.local_node_state == Some(LocalNodeState::ACTIVE)
}

fn manages(member: &SwarmInfo, manager: &str) -> bool {
    let managers = member.remote_managers.iter().flatten();
    managers.filter_map(|peer| peer.addr.as_deref()).any(|address| address == manager)
}

fn advertised(address: IpAddr) -> String {
    SocketAddr::new(address, PORT).to_string()
}
