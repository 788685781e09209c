//! What every cluster must do: hosts that come, change and go, and documents that all of them keep.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use deis_scheduler::{Cluster, ClusterHost, Engine, HostState, SchedulerError, pretend};

use crate::fixture::{Fixture, swarm_of, unique};
use crate::lab::{Lab, address};

/// Engines of several hosts, and where each is reached.
pub(crate) struct Fleet {
    pub(crate) engines: Vec<Engine>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) names: Vec<String>,
    /// The hosts, where they are real.
    pub(crate) lab: Option<Lab>,
    /// Workloads and jobs for it, with names that are its own.
    pub(crate) shapes: Fixture,
    /// Names of hosts that were killed.
    pub(crate) dead: RefCell<BTreeSet<String>>,
}

impl Fleet {
    async fn memory() -> Self {
        let names = ["one", "two", "three"];
        let addresses = (1..=3).map(|host| Ipv4Addr::new(10, 0, 0, host).into());
        Self {
            engines: pretend(&names),
            addresses: addresses.collect(),
            names: names.map(str::to_owned).into(),
            lab: None,
            shapes: Fixture::memory().await,
            dead: RefCell::default(),
        }
    }

    /// Hosts of its own, not a cluster yet; none, and a line that says so, where that is impossible.
    pub(crate) async fn swarm(hosts: usize) -> Option<Self> {
        let lab = Lab::start(hosts)?;
        let platform = unique("t");
        let mut engines = Vec::new();
        for host in 0..hosts {
            engines.push(swarm_of(&lab, host, &platform).await);
        }
        Some(Self {
            engines,
            addresses: (0..hosts).map(|host| address(host).into()).collect(),
            names: (0..hosts).map(|host| lab.host_name(host)).collect(),
            lab: Some(lab),
            shapes: Fixture { platform, ..Fixture::memory().await },
            dead: RefCell::default(),
        })
    }

    /// The cluster as seen from one host.
    pub(crate) fn cluster(&self, host: usize) -> &Arc<dyn Cluster> {
        self.engines[host].cluster.as_ref().expect("the engine spans hosts")
    }

    /// Makes the first host a cluster and the others managers of it.
    pub(crate) async fn form(&self) {
        self.cluster(0).init(self.addresses[0]).await.expect("init");
        for host in 1..self.engines.len() {
            let ticket = self.cluster(0).ticket(true).await.expect("ticket");
            self.cluster(host).join(&ticket, self.addresses[host]).await.expect("join");
        }
    }

    /// The member `name` as the first host sees it.
    pub(crate) async fn host(&self, name: &str) -> Option<ClusterHost> {
        self.host_seen(0, name).await
    }

    /// The member `name` as `host` sees it.
    pub(crate) async fn host_seen(&self, host: usize, name: &str) -> Option<ClusterHost> {
        let hosts = self.cluster(host).hosts().await.expect("hosts");
        hosts.into_iter().find(|host| host.name == name)
    }

    /// Waits until the first host sees the member as `wanted`.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&ClusterHost) -> bool) {
        self.until_seen(0, name, wanted).await;
    }

    /// Waits until `host` sees the member as `wanted`.
    pub(crate) async fn until_seen(&self, host: usize, name: &str, wanted: impl Fn(&ClusterHost) -> bool) {
        for _ in 0..600 {
            if self.host_seen(host, name).await.is_some_and(|host| wanted(&host)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{name} did not come to be as wanted: {:?}", self.host_seen(host, name).await);
    }
}

#[tokio::test]
async fn hosts_of_the_fake_form_a_cluster() {
    form_change_and_shrink(&Fleet::memory().await).await;
}

#[tokio::test]
async fn the_fake_places_by_label() {
    let fleet = Fleet::memory().await;
    fleet.form().await;
    let fixture = crate::fixture::Fixture::memory().await;
    let mut workload = fixture.web("blog", 1, 2);
    workload.tags = BTreeMap::from([("dataPlane".to_owned(), "true".to_owned())]);
    let refused = fleet.engines[1].scheduler.apply(&workload).await.expect_err("no host has the label");
    assert_eq!(refused.to_string(), "no host has the label dataPlane=true");
    for name in &fleet.names {
        fleet.cluster(0).label(name, "dataPlane", Some("true")).await.expect("label");
    }
    workload.spread = deis_model::Spread::Hosts;
    fleet.engines[1].scheduler.apply(&workload).await.expect("apply");
    assert_eq!(fleet.engines[2].scheduler.observe(None).await.expect("observe").len(), 3);
}

/// The life of a cluster, told from its first host. Leaves a cluster of one host behind.
pub(crate) async fn form_change_and_shrink(fleet: &Fleet) {
    let first = fleet.cluster(0);
    let alone = first.hosts().await.expect_err("no cluster yet");
    assert!(matches!(alone, SchedulerError::NoManager), "{alone}");
    assert_eq!(first.this_host().await.expect("its name"), fleet.names[0]);
    first.leave().await.expect("in none: success");
    fleet.form().await;
    first.init(fleet.addresses[0]).await.expect("again changes nothing");
    members_are_told(fleet).await;
    labels_come_and_go(fleet).await;
    a_drained_host_takes_no_work(fleet).await;
    documents_are_replaced_only_by_who_read_them(fleet).await;
    a_host_is_forgotten(fleet).await;
}

async fn members_are_told(fleet: &Fleet) {
    for (name, address) in fleet.names.iter().zip(&fleet.addresses) {
        fleet.until(name, |host| host.state == HostState::Ready && host.manager).await;
        assert_eq!(fleet.host(name).await.expect("a member").address, *address);
    }
    let hosts = fleet.cluster(1).hosts().await.expect("every manager tells");
    assert_eq!(hosts.iter().filter(|host| host.leader).count(), 1);
    assert!(hosts.is_sorted_by_key(|host| &host.name));
}

async fn labels_come_and_go(fleet: &Fleet) {
    let (first, name) = (fleet.cluster(0), &fleet.names[1]);
    first.label(name, "dataPlane", Some("true")).await.expect("label");
    first.label(name, "disk", Some("ssd")).await.expect("label");
    first.label(name, "disk", None).await.expect("take it away");
    first.label(name, "disk", None).await.expect("absent is success");
    let expected = BTreeMap::from([("dataPlane".to_owned(), "true".to_owned())]);
    assert_eq!(fleet.host(name).await.expect("a member").labels, expected);
    let unknown = first.label("nowhere", "disk", None).await.expect_err("no such host");
    assert!(unknown.to_string().contains("no such host"), "{unknown}");
}

async fn a_drained_host_takes_no_work(fleet: &Fleet) {
    let name = &fleet.names[2];
    for drained in [true, true, false] {
        fleet.cluster(0).drain(name, drained).await.expect("drain");
        let expected = if drained { HostState::Drained } else { HostState::Ready };
        fleet.until(name, |host| host.state == expected).await;
    }
}

async fn documents_are_replaced_only_by_who_read_them(fleet: &Fleet) {
    let (one, other) = (fleet.cluster(0), fleet.cluster(1));
    assert_eq!(one.read("settings").await.expect("read"), None);
    one.write("settings", None, b"1").await.expect("new");
    conflict(other.write("settings", None, b"2").await);
    conflict(other.write("settings", Some(b"0"), b"2").await);
    assert_eq!(other.read("settings").await.expect("read").as_deref(), Some(&b"1"[..]));
    for step in 1..12_u8 {
        let (before, after) = (step.to_string(), (step + 1).to_string());
        other.write("settings", Some(before.as_bytes()), after.as_bytes()).await.expect("replace");
        assert_eq!(one.read("settings").await.expect("read"), Some(after.into_bytes()));
    }
    let large = vec![0xff; 500_000];
    one.write("large", None, &large).await.expect("as large as may be");
    assert_eq!(other.read("large").await.expect("read"), Some(large));
    for (name, contents) in [("No/thing", &b"x"[..]), ("empty", b""), ("huge", &[0; 500_001])] {
        let refused = one.write(name, None, contents).await.expect_err("refused").to_string();
        assert!(refused.starts_with("failed to write document"), "{refused}");
    }
}

fn conflict(written: Result<(), SchedulerError>) {
    let error = written.expect_err("somebody else was first");
    assert!(matches!(error, SchedulerError::Conflict { .. }), "{error}");
}

async fn a_host_is_forgotten(fleet: &Fleet) {
    let first = fleet.cluster(0);
    first.promote(&fleet.names[2], false).await.expect("demote");
    fleet.until(&fleet.names[2], |host| !host.manager).await;
    first.promote(&fleet.names[1], false).await.expect("demote");
    fleet.until(&fleet.names[1], |host| !host.manager).await;
    for host in [1, 2] {
        fleet.cluster(host).leave().await.expect("leave");
        fleet.until(&fleet.names[host], |host| host.state == HostState::Down).await;
        first.remove(&fleet.names[host]).await.expect("remove");
        first.remove(&fleet.names[host]).await.expect("absent is success");
        assert_eq!(fleet.host(&fleet.names[host]).await, None);
    }
}
