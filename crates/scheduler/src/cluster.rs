//! The port for the hosts of a cluster: who belongs to it, what they are for, and what the cluster itself remembers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::SchedulerError;

/// What a host needs to become part of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Where a manager listens for hosts: address and port.
    pub manager: String,
    /// The secret that admits a host.
    pub token: String,
}

/// Whether the cluster gives a host work, and whether it is there to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Takes work.
    Ready,
    /// There, but given no work.
    Drained,
    /// Not heard of.
    Down,
}

/// One host of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterHost {
    /// The engine's id of it.
    pub id: String,
    /// Its host name: unique in the cluster.
    pub name: String,
    /// Where other hosts reach it.
    pub address: IpAddr,
    /// What it is for: `controlPlane`, `dataPlane`, `routerMesh`, and any tags of the operator.
    pub labels: BTreeMap<String, String>,
    /// Whether it takes part in the cluster's own decisions.
    pub manager: bool,
    /// Whether it leads them at the moment.
    pub leader: bool,
    /// Whether it takes work.
    pub state: HostState,
    /// The version of its engine.
    pub engine: String,
}

/// The hosts, and small documents that every manager keeps a copy of.
///
/// Works with nothing of the platform running: all of it is the engine's own.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Makes this host the first of a new cluster that others reach at `address`; it is one already: success.
    async fn init(&self, address: IpAddr) -> Result<(), SchedulerError>;

    /// Makes this host, reached at `address`, part of the cluster that gave out `ticket`.
    async fn join(&self, ticket: &Ticket, address: IpAddr) -> Result<(), SchedulerError>;

    /// Takes this host out of its cluster, whatever ran on it; it is in none: success.
    async fn leave(&self) -> Result<(), SchedulerError>;

    /// Lets one more host in, as a manager or as a worker.
    async fn ticket(&self, manager: bool) -> Result<Ticket, SchedulerError>;

    /// All hosts by name.
    async fn hosts(&self) -> Result<Vec<ClusterHost>, SchedulerError>;

    /// The name of the host this is asked on.
    async fn this_host(&self) -> Result<String, SchedulerError>;

    /// Sets a label of a host, or takes it away.
    async fn label(&self, host: &str, key: &str, value: Option<&str>) -> Result<(), SchedulerError>;

    /// Gives a host no further work and moves what it has elsewhere; or gives it work again.
    async fn drain(&self, host: &str, drained: bool) -> Result<(), SchedulerError>;

    /// Makes a host a manager, or a worker.
    async fn promote(&self, host: &str, manager: bool) -> Result<(), SchedulerError>;

    /// Forgets a host, a dead one too; absent is success.
    async fn remove(&self, host: &str) -> Result<(), SchedulerError>;

    /// Where the containers of this engine's platform are: the engine's id of each, as [`crate::Scheduler::observe`]
    /// tells it → the name of its host.
    async fn placements(&self) -> Result<BTreeMap<String, String>, SchedulerError>;

    /// The document `name` (1 to 32 of a-z, 0-9 and -); none if it was never written. May hold secrets: who can ask this rules the hosts anyway.
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, SchedulerError>;

    /// Replaces the document `name`, 1 to 500,000 bytes, on condition that it still is `expected`.
    ///
    /// Fails with [`SchedulerError::Conflict`] if somebody else wrote it meanwhile.
    async fn write(&self, name: &str, expected: Option<&[u8]>, contents: &[u8])
    -> Result<(), SchedulerError>;
}

/// The largest document, in bytes: what every engine takes.
pub(crate) const DOCUMENT_LIMIT: usize = 500_000;

/// Refuses a document that an engine would not take.
pub(crate) fn check_document(name: &str, contents: &[u8]) -> Result<(), SchedulerError> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let reason = if name.is_empty() || name.len() > 32 || !name.chars().all(letters) {
        "its name must be 1 to 32 of a-z, 0-9 and -".to_owned()
    } else if contents.is_empty() || contents.len() > DOCUMENT_LIMIT {
        format!("it has {} bytes; 1 to {DOCUMENT_LIMIT} are possible", contents.len())
    } else {
        return Ok(());
    };
    Err(SchedulerError::Engine { action: "write document", subject: name.to_owned(), reason })
}
