//! What `swarm://` does with several hosts. Each test has three of its own.

mod job;
mod loss;
mod role;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use deis_model::{ContainerState, ContainerStatus, Job, Limits, Workload};
use deis_scheduler::{Attachment, HostState, Options, SchedulerError, open};
use tokio::sync::mpsc;

use crate::cluster::{Fleet, form_change_and_shrink};
use crate::fixture::SWARM_IMAGE;

const NOW: Duration = Duration::ZERO;

impl Fleet {
    /// Three hosts that are managers of one cluster; none where hosts cannot be made.
    async fn three() -> Option<Self> {
        let fleet = Self::swarm(3).await?;
        fleet.form().await;
        for name in &fleet.names {
            fleet.until(name, |host| host.state == HostState::Ready).await;
        }
        Some(fleet)
    }

    /// A workload of type `web`.
    fn web(&self, app: &str, replicas: u32) -> Workload {
        Workload { image: SWARM_IMAGE.to_owned(), ..self.shapes.web(app, 1, replicas) }
    }

    fn job(&self, command: &str) -> Job {
        Job { image: SWARM_IMAGE.to_owned(), ..self.shapes.job("job", 1, command) }
    }

    /// The containers of `app`, as host `host` sees them; waits while the managers choose a leader.
    async fn observe(&self, host: usize, app: &str) -> Vec<ContainerStatus> {
        for _ in 0..600 {
            match self.engines[host].scheduler.observe(Some(&self.shapes.app(app))).await {
                Err(SchedulerError::Away { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
                seen => return seen.expect("observe"),
            }
        }
        panic!("the managers do not come to a decision");
    }

    /// Waits until so many containers of `app` run, and answers on which hosts they are.
    async fn until_up(&self, host: usize, app: &str, containers: usize) -> BTreeMap<String, String> {
        for _ in 0..1200 {
            let seen = self.observe(host, app).await;
            let up = seen.iter().filter(|one| one.state == ContainerState::Up).count();
            let placed = self.places(host, &seen).await;
            let lost = placed.values().any(|name| !self.is_there(name));
            if up == containers && seen.len() == containers && placed.len() == containers && !lost {
                return placed;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{containers} containers of {app} do not run: {:?}", self.observe(host, app).await);
    }

    /// Names of containers to names of their hosts.
    async fn places(&self, host: usize, seen: &[ContainerStatus]) -> BTreeMap<String, String> {
        let placed = self.cluster(host).placements().await.unwrap_or_default();
        let place = |one: &ContainerStatus| Some((one.name.short(), placed.get(&one.id)?.clone()));
        seen.iter().filter_map(place).collect()
    }

    fn is_there(&self, name: &str) -> bool {
        !self.dead.borrow().contains(name)
    }

    fn kill(&self, host: usize) {
        self.lab.as_ref().expect("real hosts").kill(host);
        self.dead.borrow_mut().insert(self.names[host].clone());
    }

    fn index(&self, name: &str) -> usize {
        self.names.iter().position(|found| found == name).expect("one of the hosts")
    }

    /// The host that leads, as told by `host`.
    async fn leader(&self, host: usize) -> usize {
        let hosts = self.cluster(host).hosts().await.expect("hosts");
        self.index(&hosts.iter().find(|host| host.leader).expect("one leads").name)
    }
}

#[tokio::test]
async fn swarm_hosts_form_a_cluster() {
    if let Some(fleet) = Fleet::swarm(3).await {
        form_change_and_shrink(&fleet).await;
    }
}

#[tokio::test]
async fn swarm_containers_are_spread_and_leave_a_lost_host() {
    let Some(fleet) = Fleet::three().await else { return };
    let began = Instant::now();
    fleet.engines[0].scheduler.apply(&fleet.web("blog", 6)).await.expect("apply");
    let placed = fleet.until_up(0, "blog", 6).await;
    eprintln!("6 containers run after {:?}", began.elapsed());
    for name in &fleet.names {
        assert_eq!(placed.values().filter(|host| *host == name).count(), 2, "{placed:?}");
    }
    fleet.engines[0].scheduler.apply(&fleet.web("pair", 2)).await.expect("apply");
    let pair = fleet.until_up(0, "pair", 2).await;
    assert_ne!(pair["web.1"], pair["web.2"]);
    let before = fleet.observe(0, "pair").await;
    let leader = fleet.leader(0).await;
    let lost =
        fleet.index(if fleet.index(&pair["web.1"]) == leader { &pair["web.2"] } else { &pair["web.1"] });
    let began = Instant::now();
    fleet.kill(lost);
    let after = fleet.until_up(leader, "pair", 2).await;
    eprintln!("a follower's containers run elsewhere after {:?}", began.elapsed());
    assert_ne!(after["web.1"], after["web.2"], "there were two hosts left");
    let kept = fleet.observe(leader, "pair").await;
    assert!(kept.iter().any(|one| before.contains(one)), "the other one was left alone");
    assert!(
        kept.iter().all(|one| one.restarts == 0 && one.exit_code.is_none()),
        "a move is no crash: {kept:?}"
    );
    fleet.until_up(leader, "blog", 6).await;
    fleet.engines[leader].scheduler.apply(&fleet.web("blog", 3)).await.expect("scale down");
    let kept: Vec<_> = fleet.until_up(leader, "blog", 3).await.into_keys().collect();
    assert_eq!(kept, ["web.1", "web.2", "web.3"], "the highest numbers go");
    fleet.lab.as_ref().expect("real hosts").revive(lost);
    let (name, other) = (&fleet.names[lost], &fleet.names[leader]);
    fleet.until_seen(leader, name, |host| host.state == HostState::Ready).await;
    let seen = fleet.observe(leader, "pair").await;
    assert!(seen.iter().all(|one| one.restarts == 0), "what it tells late is no crash: {seen:?}");
    assert!(fleet.host_seen(leader, other).await.is_some_and(|host| host.leader));
}

#[tokio::test]
async fn swarm_labels_and_drains_place_containers() {
    let Some(fleet) = Fleet::three().await else { return };
    let scheduler = &fleet.engines[1].scheduler;
    let mut workload = fleet.web("blog", 2);
    workload.tags.insert("disk".to_owned(), "ssd".to_owned());
    let refused = scheduler.apply(&workload).await.expect_err("no such host").to_string();
    assert_eq!(refused, "no host has the label disk=ssd");
    let job = Job { tags: workload.tags.clone(), ..fleet.job("true") };
    let (output, _frames) = mpsc::channel(1);
    let refused = scheduler
        .run(&job, Attachment { input: None, output, timeout: NOW })
        .await
        .expect_err("no such host");
    assert!(matches!(refused, SchedulerError::NoHost { .. }), "{refused}");
    workload.limits = Limits { memory_bytes: Some(64 << 20), cpu_shares: Some(512) };
    for host in [1, 2] {
        fleet.cluster(0).label(&fleet.names[host], "disk", Some("ssd")).await.expect("label");
    }
    scheduler.apply(&workload).await.expect("apply");
    let placed = fleet.until_up(0, "blog", 2).await;
    let hosts: BTreeSet<_> = placed.values().collect();
    assert_eq!(hosts, BTreeSet::from([&fleet.names[1], &fleet.names[2]]));
    fleet.until_weighed(&fleet.observe(0, "blog").await[0], &placed).await;
    fleet.cluster(0).drain(&fleet.names[2], true).await.expect("drain");
    fleet.until(&fleet.names[2], |host| host.state == HostState::Drained).await;
    for _ in 0..600 {
        if fleet.until_up(0, "blog", 2).await.values().all(|host| *host == fleet.names[1]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("containers stay on a drained host: {:?}", fleet.observe(0, "blog").await);
}

#[tokio::test]
async fn swarm_containers_that_share_a_host_are_told_and_spread_when_made_anew() {
    let Some(fleet) = Fleet::three().await else { return };
    let scheduler = &fleet.engines[0].scheduler;
    let drain = async |drained: bool| {
        for host in [1, 2] {
            fleet.cluster(0).drain(&fleet.names[host], drained).await.expect("drain");
        }
    };
    drain(true).await;
    let pair = fleet.web("pair", 2);
    scheduler.apply(&pair).await.expect("apply");
    let placed = fleet.until_up(0, "pair", 2).await;
    assert!(placed.values().all(|host| *host == fleet.names[0]), "{placed:?}");
    assert_eq!(fleet.misplaced("pair").await, [""; 0], "there is no better place");
    drain(false).await;
    assert_eq!(fleet.misplaced("pair").await, ["web.2"]);
    let second = fleet.observe(0, "pair").await.remove(1).name;
    scheduler.remove_container(&second, NOW).await.expect("remove");
    assert_eq!(fleet.misplaced("pair").await, [""; 0], "not all run");
    scheduler.apply(&pair).await.expect("make it anew");
    let placed = fleet.until_up(0, "pair", 2).await;
    assert_ne!(placed["web.1"], placed["web.2"]);
    assert_eq!(fleet.misplaced("pair").await, [""; 0]);
    fleet.both_adapters_agree().await;
}

impl Fleet {
    async fn misplaced(&self, app: &str) -> Vec<String> {
        let seen = self.observe(0, app).await.into_iter().filter(|one| one.misplaced);
        seen.map(|one| one.name.short()).collect()
    }

    /// Waits until the container has the weight and the memory that its workload says; only its host's engine knows.
    async fn until_weighed(&self, one: &ContainerStatus, placed: &BTreeMap<String, String>) {
        let host = self.index(&placed[&one.name.short()]);
        let _agent = self.local(host).await;
        let client = self.client(host).await;
        let mut found = None;
        for _ in 0..600 {
            let seen = client.inspect_container(&one.id, None).await.expect("inspect");
            found = seen.host_config.map(|config| (config.cpu_shares, config.memory));
            if found == Some((Some(512), Some(64 << 20))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("weight and memory are {found:?}");
    }

    /// The host's engine without the adapter.
    async fn client(&self, host: usize) -> bollard::Docker {
        let socket = self.lab.as_ref().expect("real hosts").url(host).replace("swarm://", "");
        let version = bollard::API_DEFAULT_VERSION;
        let client = bollard::Docker::connect_with_unix(&socket, 60, version).expect("connect");
        client.negotiate_version().await.expect("negotiate")
    }

    /// What `docker://` says on a host of the containers there is what `swarm://` says.
    async fn both_adapters_agree(&self) {
        let told: BTreeMap<_, _> = self.everything().await;
        let mut compared = 0;
        for host in 0..self.names.len() {
            let seen = self.local(host).await.scheduler.observe(None).await.expect("observe");
            for one in seen.into_iter().filter(|one| one.state == ContainerState::Up) {
                compared += 1;
                let same = told.get(&one.id).unwrap_or_else(|| panic!("{one:?} is not in {told:?}"));
                assert_eq!(
                    (&one.name, one.address, &one.fingerprint),
                    (&same.name, same.address, &same.fingerprint)
                );
                assert_eq!(one.address.map(|address| address.ip()), Some(self.addresses[host]));
            }
        }
        assert_eq!(compared, told.len(), "docker:// knows every container of Swarm: {told:?}");
    }

    async fn everything(&self) -> BTreeMap<String, ContainerStatus> {
        let seen = self.engines[0].scheduler.observe(None).await.expect("observe");
        seen.into_iter().map(|one| (one.id.clone(), one)).collect()
    }

    /// The host's engine as an agent on it opens it.
    async fn local(&self, host: usize) -> deis_scheduler::Engine {
        let url = self.lab.as_ref().expect("real hosts").url(host).replace("swarm://", "docker://");
        let options = Options { platform: self.shapes.platform.clone(), ..Options::default() };
        open(&url, options).await.expect("the engine answers")
    }
}
