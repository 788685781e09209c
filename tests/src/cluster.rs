//! A platform on the hosts of a lab, stood up with the commands that operators use.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cluster_backends::{Backends, Database, Store};
use crate::cluster_database;
use crate::command::{Output, run};
use crate::lab::Lab;
use crate::lab_host::Host;
use crate::program::{binary, target};
use crate::seat::Seat;
use crate::site::Site;
use crate::user::User;

/// Below which the platform and its apps have names.
const DOMAIN: &str = "cluster.test";
/// Where visitors go.
const HTTP_PORT: u16 = 80;
/// Where developers push to.
const GIT_PORT: u16 = 2222;
/// The programs that operators install on every host.
const PROGRAMS: [&str; 3] = ["deisd", "deisctl", "deis"];
/// How many hosts manage the cluster: the first ones.
const MANAGERS: usize = 3;
/// The image that apps are built and run in.
const STACK: &str = "deis/stack:latest";
/// How long taking debug information out of a program may take.
const STRIP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long all roles may take to be well.
const UP_TIMEOUT: Duration = Duration::from_secs(300);
/// Names containers as one machine does.
const CONTAINER_NAME: &str = r#"{{.Label "io.deis.app"}}_{{.Label "io.deis.release"}}.{{.Label "io.deis.process"}}.{{.Label "io.deis.number"}}"#;

/// How a cluster differs from three hosts that are all alike.
pub struct Plan {
    /// What each host is for, as `deisctl --planes` takes it; nothing is everything.
    pub planes: Vec<&'static str>,
    /// Who keeps the platform's state.
    pub database: Database,
    /// Who keeps its blobs.
    pub store: Store,
    /// How long a release may take to be ready.
    pub ready_seconds: u32,
    /// How many hosts there are besides, which have the programs and belong to no cluster yet.
    pub spares: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            planes: vec![""; 3],
            database: Database::Own,
            store: Store::Memory,
            ready_seconds: 120,
            spares: 0,
        }
    }
}

/// A running platform on several hosts. Dropped, it is gone with its hosts.
pub struct Cluster {
    // Before the lab: what it runs on the outside host ends first.
    backends: Backends,
    lab: Lab,
    /// Where routers are.
    mesh: Vec<Host>,
    directory: tempfile::TempDir,
}

impl Cluster {
    /// Stands a platform up.
    pub fn start(plan: &Plan) -> Self {
        let begun = Instant::now();
        let told = |what: &str| eprintln!("{:4} s  {what}", begun.elapsed().as_secs());
        let cluster = Self::prepare(plan);
        told("hosts have programs and the stack image");
        cluster.form(plan);
        told("hosts form a cluster");
        cluster.install(plan);
        cluster.await_up();
        told("the platform runs");
        cluster
    }

    /// Makes hosts that have what operators put there, and belong to no cluster yet.
    pub fn prepare(plan: &Plan) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let lab = Lab::up(plan.planes.len() + plan.spares);
        let backends = Backends::start(&lab, plan.store, plan.database);
        let directory = tempfile::Builder::new()
            .prefix("deis-test-")
            .tempdir()
            .expect("a temporary directory can be made");
        let is_mesh = |planes: &str| planes.is_empty() || planes.contains("router");
        let mesh = plan.planes.iter().zip(lab.hosts()).filter(|(planes, _)| is_mesh(planes));
        let mesh = mesh.map(|(_, host)| host.clone()).collect();
        let cluster = Self { backends, lab, mesh, directory };
        cluster.tell_names();
        cluster.prepare_hosts(plan.database);
        cluster
    }

    /// Names that an operator would have in DNS.
    fn tell_names(&self) {
        let lines = self.mesh.iter().map(|host| format!("{} deis.{DOMAIN}", host.address()));
        let lines: Vec<String> = lines.collect();
        let append = format!("printf '%s\\n' '{}' >>/etc/hosts", lines.join("' '"));
        self.lab.outside().run(["sh", "-c", &append]).succeeded();
    }

    fn prepare_hosts(&self, database: Database) {
        let stack = stack_archive();
        let more = (database == Database::Own).then(|| cluster_database::archive(&stack)).flatten();
        let archive = more.unwrap_or(stack);
        let programs = PROGRAMS.map(|name| self.without_debug_information(name));
        std::thread::scope(|scope| {
            for host in self.lab.hosts() {
                let (archive, programs) = (&archive, &programs);
                scope.spawn(move || {
                    let copy = |(name, file): (&str, &PathBuf)| {
                        host.copy(file, &format!("/usr/local/bin/{name}"));
                    };
                    PROGRAMS.into_iter().zip(programs).for_each(copy);
                    host.load_images(archive);
                });
            }
        });
    }

    /// A copy of the program as operators install it: every host makes an image of it.
    fn without_debug_information(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        let mut strip = Command::new("strip");
        strip.arg("--strip-debug").arg("-o").arg(&path).arg(binary(name));
        run(&mut strip, STRIP_TIMEOUT).succeeded();
        path
    }

    /// `deisctl init` on the first host, `deisctl join` on the others.
    fn form(&self, plan: &Plan) {
        let first = self.lab.host(1);
        let address = |host: &Host| format!("--address={}", host.address());
        let planes = |number: usize| match plan.planes[number - 1] {
            "" => None,
            planes => Some(format!("--planes={planes}")),
        };
        let init = ["deisctl".to_owned(), "init".to_owned(), address(first), format!("--domain={DOMAIN}")];
        let said = first.run(init.into_iter().chain(planes(1))).succeeded().stdout;
        let ticket = said.lines().find_map(|line| line.trim().strip_prefix("deisctl join "));
        let ticket = ticket.unwrap_or_else(|| panic!("init printed no ticket:\n{said}"));
        for (index, host) in self.lab.hosts().iter().enumerate().take(plan.planes.len()).skip(1) {
            let join = ["deisctl".to_owned(), "join".to_owned(), ticket.to_owned(), address(host)];
            let worker = (index >= MANAGERS).then(|| "--worker".to_owned());
            host.run(join.into_iter().chain(planes(index + 1)).chain(worker)).succeeded();
        }
    }

    fn install(&self, plan: &Plan) {
        let set = |target: &str, pair: &str| self.deisctl(&["config", target, "set", pair]).succeeded();
        set("store", &format!("url={}", self.backends.store_url()));
        if let Some(url) = self.backends.database_url() {
            set("database", &format!("url={url}"));
        }
        if plan.database == Database::Own {
            cluster_database::make_images(&self.lab.hosts()[..plan.planes.len()], &stack_archive());
        }
        set("controller", &format!("readyTimeoutSeconds={}", plan.ready_seconds));
        self.deisctl(&["install", "platform"]).succeeded();
        self.deisctl(&["start", "platform"]).succeeded();
        self.deisctl(&["admin", "create", "admin"]).succeeded();
    }

    /// Has a host that belongs to no cluster join this one.
    pub fn join(&self, host: &Host) {
        let said = self.deisctl(&["ticket"]).succeeded().stdout;
        let address = format!("--address={}", host.address());
        host.run(["deisctl", "join", said.trim(), &address]).succeeded();
    }

    /// Waits until every role on every host is well.
    pub fn await_up(&self) {
        self.eventually("every role is well", UP_TIMEOUT, |cluster| cluster.deisctl(&["status"]).code == 0);
    }

    /// Runs `deisctl` on the first host that has power.
    pub fn deisctl(&self, arguments: &[&str]) -> Output {
        let host = self.lab.hosts().iter().find(|host| host.has_power()).expect("a host has power");
        host.run(["deisctl"].iter().chain(arguments))
    }

    /// The hosts it runs on.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// What it depends on and does not run itself.
    pub fn backends(&self) -> &Backends {
        &self.backends
    }

    /// Where its routers are.
    pub fn routers(&self) -> Vec<SocketAddr> {
        self.mesh.iter().map(|host| host.socket(HTTP_PORT)).collect()
    }
}

impl Site for Cluster {
    fn domain(&self) -> &str {
        DOMAIN
    }

    fn router(&self) -> SocketAddr {
        let alive = self.mesh.iter().find(|host| host.has_power());
        alive.expect("a host with a router has power").socket(HTTP_PORT)
    }

    fn user(&self, name: &str) -> User {
        let home = self.directory.path().join("home").join(name);
        let user = User::new(name, home, Seat::At(self.lab.outside().clone()), GIT_PORT);
        user.register(&format!("http://deis.{DOMAIN}"));
        user
    }

    fn containers(&self) -> Vec<String> {
        let list = ["ps", "--filter", "label=io.deis.platform=deis", "--format", CONTAINER_NAME];
        let hosts = self.lab.hosts().iter().filter(|host| host.has_power());
        let listed: Vec<String> = hosts.map(|host| host.docker(&list).stdout).collect();
        let mut names: Vec<String> = listed.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        names.sort();
        names
    }

    fn journal(&self) -> String {
        let status = self.deisctl(&["status"]).all();
        let journal = self.deisctl(&["journal", "--lines=300"]).all();
        format!("{status}\n{journal}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the platform's status and journal:\n{}", self.journal());
        }
    }
}

/// An archive of the stack image, made from the one on this machine's engine once per image.
fn stack_archive() -> PathBuf {
    let docker = |arguments: &[&str]| run(Command::new("docker").args(arguments), UP_TIMEOUT).succeeded();
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", STACK]).stdout;
    let short: String = id.trim().trim_start_matches("sha256:").chars().take(12).collect();
    let directory = target().join("tmp");
    std::fs::create_dir_all(&directory).expect("the target directory can be written");
    let path = directory.join(format!("stack-{short}.tar"));
    if !path.exists() {
        let unfinished = path.with_extension(std::process::id().to_string());
        docker(&["save", "--output", &unfinished.display().to_string(), STACK]);
        std::fs::rename(&unfinished, &path).expect("a file can be renamed");
    }
    path
}
