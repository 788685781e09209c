//! Hosts, as the manager lists them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bollard::models::{Node, NodeSpecAvailabilityEnum as Availability, NodeSpecRoleEnum as Role, NodeState};
use bollard::query_parameters::ListNodesOptions;

use super::Swarm;
use crate::{ClusterHost, HostState, SchedulerError};

impl Swarm {
    /// All hosts by name.
    pub(super) async fn nodes(&self) -> Result<Vec<ClusterHost>, SchedulerError> {
        let nodes = self.client().list_nodes(None::<ListNodesOptions>).await;
        let nodes = nodes.map_err(|error| self.failed("list", "hosts", &error))?;
        let mut hosts: Vec<_> = nodes.iter().filter_map(host).collect();
        hosts.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(hosts)
    }

    /// The hosts that take work and carry all `tags`; refuses when there is none.
    pub(super) async fn fitting_nodes(
        &self,
        tags: &BTreeMap<String, String>,
    ) -> Result<Vec<ClusterHost>, SchedulerError> {
        let mut hosts = self.nodes().await?;
        hosts.retain(|host| host.state == HostState::Ready);
        crate::placement::check(tags, hosts.iter().map(|host| &host.labels))?;
        hosts.retain(|host| tags.iter().all(|(key, value)| host.labels.get(key) == Some(value)));
        Ok(hosts)
    }
}

/// None if the manager knows too little of it: it is just coming.
fn host(node: &Node) -> Option<ClusterHost> {
    let (spec, status) = (node.spec.as_ref()?, node.status.as_ref()?);
    let description = node.description.as_ref()?;
    let manager = node.manager_status.as_ref();
    let engine = description.engine.as_ref().and_then(|engine| engine.engine_version.clone());
    Some(ClusterHost {
        id: node.id.clone()?,
        name: description.hostname.clone()?,
        address: address(status.addr.as_deref(), manager.and_then(|manager| manager.addr.as_deref()))?,
        labels: spec.labels.clone().unwrap_or_default().into_iter().collect(),
        manager: spec.role == Some(Role::MANAGER),
        leader: manager.is_some_and(|manager| manager.leader == Some(true)),
        state: state(status.state, spec.availability),
        engine: engine.unwrap_or_default(),
    })
}

fn state(state: Option<NodeState>, availability: Option<Availability>) -> HostState {
    match (state, availability) {
        // A manager that has just begun to lead has not heard of anybody yet: the others are there until they fail to
        // tell.
        (Some(NodeState::READY | NodeState::UNKNOWN), Some(Availability::ACTIVE)) => HostState::Ready,
        (Some(NodeState::READY | NodeState::UNKNOWN), _) => HostState::Drained,
        _ => HostState::Down,
    }
}

/// A manager's own address comes first: of itself a leader may say `0.0.0.0`.
fn address(told: Option<&str>, manager: Option<&str>) -> Option<IpAddr> {
    let manager = manager.and_then(|address| address.parse().ok()).map(|address: SocketAddr| address.ip());
    manager.or_else(|| told?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(told: &str, manager: Option<&str>, expected: Option<&str>) {
        let expected = expected.map(|text| text.parse().expect("valid"));
        assert_eq!(address(Some(told), manager), expected, "{told} {manager:?}");
    }

    #[test]
    fn a_leaders_address_is_where_it_listens() {
        check("10.0.0.1", None, Some("10.0.0.1"));
        check("0.0.0.0", Some("10.0.0.1:2377"), Some("10.0.0.1"));
        check("fd00::1", Some("[fd00::1]:2377"), Some("fd00::1"));
        check("", None, None);
    }

    #[test]
    fn a_host_takes_work_when_it_is_there_and_not_drained() {
        assert_eq!(state(Some(NodeState::READY), Some(Availability::ACTIVE)), HostState::Ready);
        assert_eq!(state(Some(NodeState::READY), Some(Availability::DRAIN)), HostState::Drained);
        assert_eq!(state(Some(NodeState::DOWN), Some(Availability::ACTIVE)), HostState::Down);
        assert_eq!(state(Some(NodeState::UNKNOWN), Some(Availability::ACTIVE)), HostState::Ready);
        assert_eq!(state(Some(NodeState::DISCONNECTED), Some(Availability::ACTIVE)), HostState::Down);
    }
}
