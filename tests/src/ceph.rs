//! A Ceph cluster of a test's own: a monitor, a manager, three stores of objects on sparse files, and the gateway that
//! speaks S3, all on this machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::command::{Output, run};
use crate::ports::free_address;

/// How long anything may take: starting a daemon, or healing after one was killed. A busy machine needs a part of it.
const TIMEOUT: Duration = Duration::from_secs(180);
/// How long one command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// How many daemons keep objects, each of them a copy of every object.
const OSDS: usize = 3;
/// The account that tests use, and its bucket.
const KEY: &str = "test";
const SECRET: &str = "test-only";
const BUCKET: &str = "deis";
/// The SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The cluster's name for itself.
const FSID: &str = "6d5a1f6e-2f0b-4c5a-9a0e-0d1e5c0ffee0";
/// The gateway's name.
const GATEWAY: &str = "client.rgw.a";
/// What every daemon is: the monitor's options first, then what each may do.
const MANAGER: [&str; 6] = ["mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"];
const KEEPER: [&str; 6] = ["mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"];
const SERVER: [&str; 4] = ["mon", "allow rw", "osd", "allow rwx"];
const OPERATOR: [&str; 8] = ["mon", "allow *", "osd", "allow *", "mds", "allow *", "mgr", "allow *"];

/// A cluster. Dropped, it is gone with everything in it.
pub struct Ceph {
    directory: tempfile::TempDir,
    monitor: [SocketAddr; 2],
    gateway: SocketAddr,
    daemons: BTreeMap<String, Child>,
}

impl Ceph {
    /// Starts a cluster with an empty bucket, for this machine alone.
    pub fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into())
    }

    /// The same; its gateway is reached at an address of this machine.
    pub fn start_at(address: IpAddr) -> Self {
        let directory = tempfile::Builder::new().prefix("deis-ceph-").tempdir();
        let directory = directory.expect("a temporary directory can be made");
        let monitor = [free_address(), free_address()];
        let gateway = SocketAddr::new(address, free_address().port());
        let mut ceph = Self { directory, monitor, gateway, daemons: BTreeMap::new() };
        ceph.write_settings();
        ceph.make_keys();
        ceph.start_monitor();
        ceph.spawn("ceph-mgr", &["-i", "x"]);
        ceph.start_keepers();
        ceph.start_gateway();
        ceph.make_bucket();
        ceph
    }

    /// The store's URL for a place in the bucket.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{KEY}:{SECRET}@{BUCKET}/{prefix}?endpoint={}", self.endpoint())
    }

    /// Who may use the bucket.
    pub fn account(&self) -> Account {
        Account { key: KEY, secret: SECRET, bucket: BUCKET, endpoint: self.endpoint() }
    }

    /// Where the gateway listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// `kill -9` for the daemon that keeps objects of that number, 0 to 2.
    pub fn kill_osd(&mut self, number: usize) {
        self.kill(&format!("ceph-osd {number}"));
    }

    /// Starts it again.
    pub fn start_osd(&mut self, number: usize) {
        self.spawn("ceph-osd", &["-i", &number.to_string()]);
    }

    /// Waits until every daemon is there and every object has all its copies.
    pub fn wait_until_healed(&mut self) {
        self.wait("heal", |ceph| {
            let status = ceph.status();
            let states = status["pgmap"]["pgs_by_state"].as_array().cloned().unwrap_or_default();
            let clean = |state: &serde_json::Value| {
                state["state_name"].as_str().unwrap_or_default().starts_with("active+clean")
            };
            status["osdmap"]["num_up_osds"] == OSDS && !states.is_empty() && states.iter().all(clean)
        });
    }

    /// Waits until the cluster knows that `up` daemons keep objects.
    pub fn wait_until_up(&mut self, up: usize) {
        self.wait("count its daemons", |ceph| ceph.status()["osdmap"]["num_up_osds"] == up);
    }

    /// `kill -9` for the gateway: nobody answers S3.
    pub fn kill_gateway(&mut self) {
        self.kill(&format!("radosgw {GATEWAY}"));
    }

    /// Starts the gateway where it was, and waits until it answers.
    pub fn start_gateway(&mut self) {
        self.spawn("radosgw", &["-n", GATEWAY]);
        let address = self.gateway;
        self.wait("serve S3", |_| answers(address));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_settings(&self) {
        for folder in ["keyring", "run", "log", "mon/a", "mgr/x", "osd/0", "osd/1", "osd/2", "rgw/a"] {
            std::fs::create_dir_all(self.path(folder)).expect("a temporary directory can be made");
        }
        let [new, old] = self.monitor;
        let text = SETTINGS
            .replace("{root}", &self.directory.path().display().to_string())
            .replace("{fsid}", FSID)
            .replace("{monitor}", &format!("[v2:{new}/0,v1:{old}/0]"))
            .replace("{gateway}", &self.gateway.to_string());
        std::fs::write(self.path("ceph.conf"), text).expect("a temporary file can be written");
    }

    fn make_keys(&self) {
        let initial = self.path("initial");
        self.make_key(&initial, "mon.", &["mon", "allow *"]);
        let keepers = (0..OSDS).map(|number| (format!("osd.{number}"), &KEEPER[..]));
        let others = [("client.admin", &OPERATOR[..]), ("mgr.x", &MANAGER), (GATEWAY, &SERVER)];
        let others = others.map(|(name, rights)| (name.to_owned(), rights));
        for (name, rights) in keepers.chain(others) {
            let file = self.path(&format!("keyring/ceph.{name}.keyring"));
            self.make_key(&file, &name, rights);
            let import = [initial.as_os_str(), "--import-keyring".as_ref(), file.as_os_str()];
            self.run(Command::new("ceph-authtool").args(import));
        }
    }

    fn make_key(&self, file: &Path, name: &str, rights: &[&str]) {
        let mut command = Command::new("ceph-authtool");
        command.arg("-C").arg(file).args(["-g", "-n", name]);
        for right in rights.chunks(2) {
            command.arg("--cap").args(right);
        }
        self.run(&mut command);
    }

    fn start_monitor(&mut self) {
        let [new, old] = self.monitor;
        let (map, address) = (self.path("monmap"), format!("[v2:{new},v1:{old}]"));
        let make = ["--create", "--fsid", FSID, "--addv", "a", &address];
        self.run(Command::new("monmaptool").args(make).arg(&map));
        let mut prepare = Command::new("ceph-mon");
        prepare.args(["--mkfs", "-i", "a", "--monmap"]).arg(&map).arg("--keyring").arg(self.path("initial"));
        self.run(&mut prepare);
        self.spawn("ceph-mon", &["-i", "a"]);
        self.wait("elect its monitor", |ceph| ceph.ceph(&["status"]).code == 0);
    }

    fn start_keepers(&mut self) {
        std::thread::scope(|scope| {
            for number in 0..OSDS {
                let ceph = &*self;
                scope.spawn(move || ceph.prepare_keeper(number));
            }
        });
        for number in 0..OSDS {
            self.start_osd(number);
        }
        self.wait_until_up(OSDS);
    }

    fn prepare_keeper(&self, number: usize) {
        let (id, uuid) = (number.to_string(), format!("{}{number}", &FSID[..FSID.len() - 1]));
        self.ceph(&["osd", "new", &uuid, &id]).succeeded();
        self.run(Command::new("ceph-osd").args(["-i", &id, "--mkfs", "--osd-uuid", &uuid]));
    }

    fn make_bucket(&self) {
        let account = ["user", "create", "--uid", "deis", "--display-name", "deis"];
        let keys = ["--access-key", KEY, "--secret-key", SECRET];
        self.run(Command::new("radosgw-admin").args(account).args(keys));
        let mut create = Command::new("curl");
        create.args(["--silent", "--show-error", "--fail-with-body", "--request", "PUT"]);
        create.args(["--user", &format!("{KEY}:{SECRET}"), "--aws-sigv4", "aws:amz:us-east-1:s3"]);
        // The gateway wants to be told the digest of the body, which is empty.
        create.args(["--header", &format!("x-amz-content-sha256: {EMPTY}")]);
        self.run(create.arg(format!("{}/{BUCKET}", self.endpoint())));
    }

    fn status(&self) -> serde_json::Value {
        let status = self.ceph(&["status", "--format", "json"]);
        serde_json::from_str(&status.stdout).unwrap_or_default()
    }

    fn ceph(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("ceph");
        command.args(["--connect-timeout", "10"]).args(arguments);
        run(command.env("CEPH_CONF", self.path("ceph.conf")), COMMAND_TIMEOUT)
    }

    fn run(&self, command: &mut Command) -> Output {
        run(command.env("CEPH_CONF", self.path("ceph.conf")), COMMAND_TIMEOUT).succeeded()
    }

    /// Starts a daemon that ends with this process, however that ends.
    fn spawn(&mut self, program: &str, arguments: &[&str]) {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log/printed"));
        let log = log.expect("a log can be made");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program, "-f"]).args(arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let daemon = command.env("CEPH_CONF", self.path("ceph.conf")).spawn();
        let daemon = daemon.unwrap_or_else(|error| panic!("failed to start {program}: {error}"));
        self.daemons.insert(format!("{program} {}", arguments[1]), daemon);
    }

    fn kill(&mut self, name: &str) {
        let mut daemon = self.daemons.remove(name).expect("the daemon runs");
        daemon.kill().expect("a child can be killed");
        daemon.wait().expect("a child can be waited for");
    }

    fn wait(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !done(self) {
            for (name, daemon) in &mut self.daemons {
                let ended = daemon.try_wait().expect("a child can be waited for");
                assert!(ended.is_none(), "{name} ended: {ended:?}\n{}", said(self.directory.path()));
            }
            let status = || self.ceph(&["status"]).all();
            assert!(Instant::now() < deadline, "the cluster did not {what}:\n{}", status());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Ceph {
    fn drop(&mut self) {
        // Nothing of it is wanted any more, so nobody needs to end in good order.
        for daemon in self.daemons.values_mut() {
            let _ = daemon.kill();
        }
        for daemon in self.daemons.values_mut() {
            let _ = daemon.wait();
        }
    }
}

/// The end of what the daemons printed.
fn said(root: &Path) -> String {
    let printed = std::fs::read_to_string(root.join("log/printed")).unwrap_or_default();
    let lines: Vec<&str> = printed.lines().rev().take(40).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Whether somebody answers an anonymous request for the list of buckets.
fn answers(gateway: SocketAddr) -> bool {
    let mut ask = Command::new("curl");
    ask.args(["--silent", "--fail", "--max-time", "10", "--output", "/dev/null"]);
    run(ask.arg(format!("http://{gateway}/")), COMMAND_TIMEOUT).code == 0
}

/// Copies are spread over daemons, not hosts; everything is small; healing takes no breaks.
const SETTINGS: &str = "\
[global]
fsid = {fsid}
mon_initial_members = a
mon_host = {monitor}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = {root}/keyring/$cluster.$name.keyring
admin_socket = {root}/run/$cluster-$name.asok
pid_file = {root}/run/$name.pid
run_dir = {root}/run
crash_dir = {root}/crash
log_file = {root}/log/$name.log
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 500
[mon]
mon_data = {root}/mon/$id
keyring = {root}/mon/$id/keyring
mon_cluster_log_file = {root}/log/cluster.log
[mgr]
mgr_data = {root}/mgr/$id
[osd]
osd_data = {root}/osd/$id
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = 8589934592
osd_memory_target = 939524096
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
osd_recovery_sleep_hdd = 0
osd_heartbeat_interval = 2
osd_heartbeat_grace = 6
[client.rgw.a]
rgw_frontends = beast endpoint={gateway}
rgw_data = {root}/rgw/a
rgw_thread_pool_size = 32
rgw_dynamic_resharding = false
";
