//! The hosts of the fake: who belongs to the cluster, and what it remembers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use deis_model::{Spread, Workload};

use crate::{ClusterHost, HostState, SchedulerError, Ticket};

/// Where managers would listen.
const PORT: u16 = 2377;

/// What admits a manager and a worker.
const TOKENS: [(&str, bool); 2] = [("pretended-manager", true), ("pretended-worker", false)];

/// The members by name and the documents. Without members there is no cluster.
#[derive(Default)]
pub(super) struct Hosts {
    members: BTreeMap<String, ClusterHost>,
    pub(super) documents: BTreeMap<String, Vec<u8>>,
}

impl Hosts {
    /// How many containers `workload` has on these hosts.
    pub(super) fn replicas(&self, workload: &Workload) -> Result<u32, SchedulerError> {
        let hosts = match self.carrying(&workload.tags) {
            // Scaling to nothing is possible anywhere.
            Err(_) if workload.replicas == 0 && workload.spread == Spread::Replicas => 0,
            carrying => carrying?,
        };
        match workload.spread {
            Spread::Replicas => Ok(workload.replicas),
            Spread::Hosts => Ok(hosts),
        }
    }

    /// How many hosts take work and carry all `tags`; refuses when it is none. Outside of a cluster it is the one.
    pub(super) fn carrying(&self, tags: &BTreeMap<String, String>) -> Result<u32, SchedulerError> {
        if self.members.is_empty() {
            return Ok(1);
        }
        let ready: Vec<_> = self.members.values().filter(|host| host.state == HostState::Ready).collect();
        crate::placement::check(tags, ready.iter().map(|host| &host.labels))
            .map(|hosts| u32::try_from(hosts).unwrap_or(u32::MAX))
    }

    /// The hosts that take work and carry all `tags`.
    pub(super) fn names_carrying(&self, tags: &BTreeMap<String, String>) -> Vec<String> {
        let carries =
            |host: &ClusterHost| tags.iter().all(|(key, value)| host.labels.get(key) == Some(value));
        let takes_work = |host: &&ClusterHost| host.state == HostState::Ready && carries(host);
        self.members.values().filter(takes_work).map(|host| host.name.clone()).collect()
    }

    /// Makes `host` the first member, unless it is one.
    pub(super) fn init(&mut self, host: &str, address: IpAddr) {
        if self.is_member(host) {
            return;
        }
        self.documents.clear();
        self.members = BTreeMap::from([(host.to_owned(), member(host, address, true))]);
    }

    /// Makes `host` a member if the ticket is good; a member's is looked at no more.
    pub(super) fn join(
        &mut self,
        host: &str,
        ticket: &Ticket,
        address: IpAddr,
    ) -> Result<(), SchedulerError> {
        if self.is_member(host) {
            return Ok(());
        }
        let reason = |reason: &str| failed("join", &ticket.manager, reason);
        let known = TOKENS.iter().find(|(token, _)| *token == ticket.token);
        let (_, manager) = known.ok_or_else(|| reason("it does not know the token"))?;
        if !self.members.values().any(|host| at(host.address) == ticket.manager) {
            return Err(reason("nobody listens there"));
        }
        self.members.insert(host.to_owned(), member(host, address, *manager));
        Ok(())
    }

    /// Takes `host` out: the others remember it as down, and without another manager nothing is left.
    pub(super) fn leave(&mut self, host: &str) {
        if let Some(member) = self.members.get_mut(host) {
            member.state = HostState::Down;
        }
        if self.leader().is_none() {
            *self = Self::default();
        }
    }

    /// What admits one more.
    pub(super) fn ticket(&self, host: &str, manager: bool) -> Result<Ticket, SchedulerError> {
        let member = self.manager(host)?;
        let (token, _) = TOKENS.iter().find(|(_, of)| *of == manager).expect("there is one of each kind");
        Ok(Ticket { manager: at(member.address), token: (*token).to_owned() })
    }

    /// All members by name.
    pub(super) fn list(&self) -> Vec<ClusterHost> {
        let leader = self.leader();
        let told = |host: &ClusterHost| ClusterHost { leader: leader == Some(&host.name), ..host.clone() };
        self.members.values().map(told).collect()
    }

    /// Changes one member.
    pub(super) fn change(
        &mut self,
        host: &str,
        change: impl FnOnce(&mut ClusterHost),
    ) -> Result<(), SchedulerError> {
        let member = self.members.get_mut(host);
        change(member.ok_or_else(|| failed("change host", host, "the cluster has no such host"))?);
        Ok(())
    }

    /// Forgets one member.
    pub(super) fn remove(&mut self, host: &str) {
        self.members.remove(host);
    }

    /// The member `host`, which must be a manager to be asked about the cluster.
    pub(super) fn manager(&self, host: &str) -> Result<&ClusterHost, SchedulerError> {
        let manager = self.members.get(host).filter(|member| member.manager && is_up(member));
        manager.ok_or(SchedulerError::NoManager)
    }

    fn is_member(&self, host: &str) -> bool {
        self.members.get(host).is_some_and(is_up)
    }

    fn leader(&self) -> Option<&String> {
        self.members.iter().find(|(_, member)| member.manager && is_up(member)).map(|(name, _)| name)
    }
}

fn is_up(member: &ClusterHost) -> bool {
    member.state != HostState::Down
}

fn member(name: &str, address: IpAddr, manager: bool) -> ClusterHost {
    ClusterHost {
        id: format!("host-{name}"),
        name: name.to_owned(),
        address,
        labels: BTreeMap::new(),
        manager,
        leader: false,
        state: HostState::Ready,
        engine: "memory".to_owned(),
    }
}

fn at(address: IpAddr) -> String {
    std::net::SocketAddr::new(address, PORT).to_string()
}

fn failed(action: &'static str, subject: &str, reason: &str) -> SchedulerError {
    SchedulerError::Engine { action, subject: subject.to_owned(), reason: reason.to_owned() }
}
