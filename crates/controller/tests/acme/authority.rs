//! A certificate authority for tests: Pebble, and the DNS server that it asks, from the distribution's packages.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Ports that the system gives to nobody by itself.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 20_000;
const PER_PROCESS: u32 = 50;

/// How long programs may take to start on a busy machine.
const STARTS: Duration = Duration::from_secs(60);

/// What `certificates` are good for.
const VALIDITY: Duration = Duration::from_secs(90 * 24 * 3600);

/// An authority that asks `127.0.0.1` whatever the name.
pub(crate) struct Authority {
    policy: Policy,
    directory: TempDir,
    root: String,
    pebble: Option<Process>,
    _dns: Process,
    port: u16,
    /// Where DNS records are set, for the hook.
    pub(crate) dns: SocketAddr,
    dns_server: SocketAddr,
}

/// What may differ from authority to authority.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// Whether only who has another account may have one.
    pub(crate) bound: bool,
    /// How often, of a hundred times, a name that was proved once need not be proved again.
    pub(crate) reuse: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { bound: false, reuse: 50 }
    }
}

/// The id and the key of an account that the platform's may be bound to.
pub(crate) const BOUND: (&str, &str) =
    ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

/// Ended when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Authority {
    /// Starts one that asks names at these ports. None, and a line about it, where the programs are not installed.
    pub(crate) async fn start(http: SocketAddr, tls: SocketAddr, policy: Policy) -> Option<Self> {
        let found = ["pebble", "pebble-challtestsrv"].map(find);
        if found.iter().any(Option::is_none) {
            eprintln!("skipped: pebble is not installed");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let root = identify(&directory);
        let (dns, dns_server, server) = start_dns().await;
        let mut authority =
            Self { policy, directory, root, pebble: None, _dns: server, port: 0, dns, dns_server };
        for _ in 0..20 {
            authority.port = free_port();
            authority.configure(http, tls);
            if authority.run().await {
                return Some(authority);
            }
        }
        panic!("pebble does not start");
    }

    /// Settings of the mesh by which certificates are had here.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("acme/enabled", "on".to_owned()),
            ("acme/directory", self.url()),
            ("acme/caCertificates", self.root.clone()),
        ]
    }

    /// The URL of its directory.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// Ends it, with all that it knows.
    pub(crate) fn stop(&mut self) {
        self.pebble = None;
    }

    /// Starts it again where it was. It keeps nothing: it does not know any account any more.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.run().await, "pebble does not start again");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configure(&self, http: SocketAddr, tls: SocketAddr) {
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", self.port),
            "certificate": self.path("certificate.pem"),
            "privateKey": self.path("key.pem"),
            "httpPort": http.port(),
            "tlsPort": tls.port(),
            "externalAccountBindingRequired": self.policy.bound,
            "externalAccountMACKeys": { BOUND.0: BOUND.1 },
            "certificateValidityPeriod": VALIDITY.as_secs(),
        } });
        std::fs::write(self.path("config.json"), config.to_string()).unwrap();
    }

    /// Whether it came up: its port may be taken.
    async fn run(&mut self) -> bool {
        let child = Command::new("pebble")
            .arg("-config")
            .arg(self.path("config.json"))
            .args(["-dnsserver", &self.dns_server.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", self.policy.reuse.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble is installed");
        let mut process = Process(child);
        let is_up = comes_up(&mut process, SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await;
        self.pebble = is_up.then_some(process);
        is_up
    }
}

/// Makes the certificate by which the authority is reached; returns what vouches for it.
fn identify(directory: &TempDir) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &root).unwrap();
    std::fs::write(directory.path().join("certificate.pem"), leaf.pem()).unwrap();
    std::fs::write(directory.path().join("key.pem"), key.serialize_pem()).unwrap();
    root.pem()
}

async fn start_dns() -> (SocketAddr, SocketAddr, Process) {
    for _ in 0..20 {
        let address = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let (management, server) = (address(), address());
        let child = Command::new("pebble-challtestsrv")
            .args(["-management", &management.to_string(), "-dns01", &server.to_string()])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble-challtestsrv is installed");
        let mut process = Process(child);
        if comes_up(&mut process, management).await && comes_up(&mut process, server).await {
            return (management, server, process);
        }
    }
    panic!("pebble-challtestsrv does not start");
}

/// Waits until somebody listens at `address`; false if the process ended before.
async fn comes_up(process: &mut Process, address: SocketAddr) -> bool {
    let coming = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if process.0.try_wait().unwrap().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.0.try_wait().unwrap().is_none()
    };
    tokio::time::timeout(STARTS, coming).await.expect("it listens or ends")
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|place| place.join(program)).find(|file| file.is_file())
}

/// A port that nobody listens on, and that nobody is given who asks for any.
fn free_port() -> u16 {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(PER_PROCESS);
    let mut candidates = (0..PORTS).map(|_| {
        let number = first.wrapping_add(SEEN.fetch_add(1, Relaxed)) % PORTS;
        u16::try_from(FIRST_PORT + number).expect("below 30,000")
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.find(is_free).expect("loopback has a free port")
}

/// A program that sets and clears records at the DNS server, and keeps a list of what it was told.
pub(crate) fn hook(directory: &TempDir, dns: SocketAddr) -> String {
    let path = directory.path().join("hook");
    let body = |value: Value| value.to_string().replace('"', "\\\"");
    let (set, clear) = (json!({"host": "$2.", "value": "$3"}), json!({"host": "$2."}));
    let script = format!(
        "#!/bin/sh\nset -eu\necho \"$@\" >> '{}'\ncase $1 in set) body=\"{}\";; clear) body=\"{}\";; esac\n\
         curl --silent --fail --data \"$body\" \"http://{dns}/$1-txt\"\n",
        directory.path().join("told").display(),
        body(set),
        body(clear),
    );
    std::fs::write(&path, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&path, mode).unwrap();
    path.to_str().unwrap().to_owned()
}
