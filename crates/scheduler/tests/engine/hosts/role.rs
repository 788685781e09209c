//! Workloads as the platform's own roles are: on every host of a kind, with parts of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use deis_model::{ContainerState, ContainerStatus, FileMount, HostAccess, Mount, Spread, Workload};

use super::NOW;
use crate::cluster::Fleet;
use crate::fixture::words;

#[tokio::test]
async fn swarm_roles_are_on_every_host_with_the_label() {
    let Some(fleet) = Fleet::three().await else { return };
    for host in [1, 2] {
        fleet.cluster(0).label(&fleet.names[host], "disk", Some("ssd")).await.expect("label");
    }
    fleet.each_host_has_one().await;
}

/// What a container says of the one before it: it writes into `/host` when it is asked to end.
const WITNESS: &str = "busybox test -e /host/$BEFORE.ended && echo alone >/host/$NAME || echo together >/host/$NAME; \
                       trap 'busybox touch /host/$NAME.ended; exit' TERM; while true; do busybox sleep 0.1; done";

#[tokio::test]
async fn swarm_roles_that_overlap_start_before_the_old_ones_end() {
    let Some(fleet) = Fleet::three().await else { return };
    let directory = std::env::temp_dir().join(format!("{}-overlap", fleet.shapes.platform));
    for (overlaps, expected) in [(true, "together"), (false, "alone")] {
        std::fs::create_dir_all(&directory).expect("a temporary directory can be made");
        fleet.cluster(0).label(&fleet.names[1], "disk", Some("ssd")).await.expect("label");
        for (before, name) in [("none", "first"), ("first", "second")] {
            let role = fleet.witness(&directory, overlaps, before, name);
            fleet.engines[0].scheduler.apply(&role).await.expect("apply");
            let fingerprint = role.fingerprint();
            let runs =
                |one: &ContainerStatus| one.fingerprint == fingerprint && one.state == ContainerState::Up;
            fleet.until_all(0, "role", runs).await;
            until_written(&directory.join(name)).await;
        }
        let told = std::fs::read_to_string(directory.join("second")).expect("written");
        assert_eq!(told.trim(), expected, "overlaps: {overlaps}");
        let id = fleet.witness(&directory, overlaps, "", "").id;
        fleet.engines[0].scheduler.remove(&id, NOW).await.expect("remove");
        std::fs::remove_dir_all(&directory).expect("remove");
    }
}

async fn until_written(path: &Path) {
    for _ in 0..600 {
        if std::fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n')) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} was not written", path.display());
}

impl Fleet {
    fn witness(&self, directory: &Path, overlaps: bool, before: &str, name: &str) -> Workload {
        let source = directory.display().to_string();
        let mount = Mount { source, target: "/host".to_owned(), read_only: false };
        let mut role = Workload {
            command: words(&["busybox", "sh", "-c", WITNESS]),
            spread: Spread::Hosts,
            port: None,
            health_check: None,
            host: Some(HostAccess { network: true, mounts: vec![mount], overlaps, ..HostAccess::default() }),
            tags: [("disk".to_owned(), "ssd".to_owned())].into(),
            ..self.web("role", 0)
        };
        role.environment.0.insert("BEFORE".to_owned(), before.to_owned());
        role.environment.0.insert("NAME".to_owned(), name.to_owned());
        role
    }

    /// A workload that has a container on every host with the label, with what roles may have of a host.
    async fn each_host_has_one(&self) {
        let file = FileMount { path: "/etc/role/key".to_owned(), contents: "first\n".to_owned() };
        let socket = Mount { source: "/tmp".to_owned(), target: "/host".to_owned(), read_only: true };
        let access = HostAccess {
            network: true,
            mounts: vec![socket],
            files: vec![file],
            capabilities: vec!["NET_ADMIN".to_owned()],
            overlaps: false,
            stop_grace_seconds: None,
        };
        let script = "busybox cat /etc/role/key; exec busybox httpd -f -p 6000 -h /";
        let mut role = Workload {
            command: words(&["busybox", "sh", "-c", script]),
            spread: Spread::Hosts,
            port: Some(6000),
            host: Some(access),
            tags: [("disk".to_owned(), "ssd".to_owned())].into(),
            ..self.web("role", 0)
        };
        self.engines[0].scheduler.apply(&role).await.expect("apply");
        let placed = self.until_up(0, "role", 2).await;
        assert_eq!(
            placed.values().collect::<BTreeSet<_>>(),
            BTreeSet::from([&self.names[1], &self.names[2]])
        );
        self.both_adapters_agree().await;
        role.host.as_mut().expect("access").files[0].contents = "second\n".to_owned();
        self.engines[0].scheduler.apply(&role).await.expect("apply another");
        let fingerprint = role.fingerprint();
        self.until_all(0, "role", |one| one.fingerprint == fingerprint && one.state == ContainerState::Up)
            .await;
        let one = self.observe(0, "role").await.remove(0);
        self.until_printed(&one.id, "second").await;
        self.engines[0].scheduler.remove_container(&one.name, NOW).await.expect("take one away");
        self.until_up(0, "role", 1).await;
        self.engines[0].scheduler.apply(&role).await.expect("and give it back");
        self.until_up(0, "role", 2).await;
        self.engines[0].scheduler.remove(&role.id, NOW).await.expect("remove");
        assert!(self.observe(0, "role").await.is_empty());
    }

    pub(super) async fn until_all(&self, host: usize, app: &str, wanted: impl Fn(&ContainerStatus) -> bool) {
        for _ in 0..1200 {
            let seen = self.observe(host, app).await;
            if !seen.is_empty() && seen.iter().all(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not all are as wanted: {:?}", self.observe(host, app).await);
    }

    async fn until_printed(&self, id: &str, line: &str) {
        for _ in 0..300 {
            if self.engines[0].output.tail(id, 10).await.expect("tail").iter().any(|found| found == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{id} did not print {line}");
    }
}
