//! The cluster of the fake.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;

use super::Memory;
use crate::cluster::check_document;
use crate::{Change, Cluster, ClusterHost, HostState, SchedulerError, Ticket};

#[async_trait]
impl Cluster for Memory {
    async fn init(&self, address: IpAddr) -> Result<(), SchedulerError> {
        self.hosts().init(&self.host, address);
        Ok(())
    }

    async fn join(&self, ticket: &Ticket, address: IpAddr) -> Result<(), SchedulerError> {
        self.hosts().join(&self.host, ticket, address)
    }

    async fn leave(&self) -> Result<(), SchedulerError> {
        self.hosts().leave(&self.host);
        Ok(())
    }

    async fn ticket(&self, manager: bool) -> Result<Ticket, SchedulerError> {
        self.hosts().ticket(&self.host, manager)
    }

    async fn hosts(&self) -> Result<Vec<ClusterHost>, SchedulerError> {
        let hosts = Memory::hosts(self);
        hosts.manager(&self.host)?;
        Ok(hosts.list())
    }

    async fn this_host(&self) -> Result<String, SchedulerError> {
        Ok(self.host.clone())
    }

    async fn label(&self, host: &str, key: &str, value: Option<&str>) -> Result<(), SchedulerError> {
        self.change(host, |member| match value {
            Some(value) => drop(member.labels.insert(key.to_owned(), value.to_owned())),
            None => drop(member.labels.remove(key)),
        })
    }

    async fn drain(&self, host: &str, drained: bool) -> Result<(), SchedulerError> {
        let wanted = if drained { HostState::Drained } else { HostState::Ready };
        self.change(host, |member| {
            if member.state != HostState::Down {
                member.state = wanted;
            }
        })
    }

    async fn promote(&self, host: &str, manager: bool) -> Result<(), SchedulerError> {
        self.change(host, |member| member.manager = manager)
    }

    async fn remove(&self, host: &str) -> Result<(), SchedulerError> {
        let mut hosts = Memory::hosts(self);
        hosts.manager(&self.host)?;
        if host == self.host {
            return Err(SchedulerError::Engine {
                action: "remove host",
                subject: host.to_owned(),
                reason: "it is the one that was asked; ask another".to_owned(),
            });
        }
        hosts.remove(host);
        Ok(())
    }

    async fn placements(&self) -> Result<BTreeMap<String, String>, SchedulerError> {
        Memory::hosts(self).manager(&self.host)?;
        Ok(self.containers().placements())
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, SchedulerError> {
        let hosts = Memory::hosts(self);
        hosts.manager(&self.host)?;
        Ok(hosts.documents.get(name).cloned())
    }

    async fn write(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        contents: &[u8],
    ) -> Result<(), SchedulerError> {
        check_document(name, contents)?;
        let mut hosts = Memory::hosts(self);
        hosts.manager(&self.host)?;
        if hosts.documents.get(name).map(Vec::as_slice) != expected {
            return Err(SchedulerError::Conflict { subject: format!("document {name}") });
        }
        hosts.documents.insert(name.to_owned(), contents.to_vec());
        Ok(())
    }
}

impl Memory {
    fn change(&self, host: &str, change: impl FnOnce(&mut ClusterHost)) -> Result<(), SchedulerError> {
        {
            let mut hosts = Memory::hosts(self);
            hosts.manager(&self.host)?;
            hosts.change(host, change)?;
        }
        // Nobody may be watching.
        let _ = self.shared.changes.send(Change::All);
        Ok(())
    }
}
