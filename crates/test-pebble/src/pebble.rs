//! An authority: how it is set up, started and started again.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use crate::ports::free_port;
use crate::process::{Process, is_installed};

/// How often is tried to start a program whose ports others take meanwhile.
const ATTEMPTS: usize = 20;

/// How long certificates are good.
const VALIDITY: Duration = Duration::from_secs(90 * 24 * 3600);

/// The id and the key of an account that others' may be bound to.
pub const BOUND: (&str, &str) = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

/// What may differ from authority to authority.
#[derive(Clone, Copy)]
pub struct Policy {
    /// Whether only who has another account may have one.
    pub bound: bool,
    /// How often, of a hundred times, a name that was proved once need not be proved again.
    pub reuse: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { bound: false, reuse: 50 }
    }
}

/// An authority that finds every name at `127.0.0.1`. Ends when dropped.
pub struct Pebble {
    policy: Policy,
    directory: TempDir,
    root: String,
    pebble: Option<Process>,
    address: SocketAddr,
    management: SocketAddr,
    dns: Dns,
}

/// The DNS server that it asks.
struct Dns {
    /// Where records are set.
    management: SocketAddr,
    address: SocketAddr,
    _server: Process,
}

impl Pebble {
    /// Starts one that asks names at these ports. None, and a line about it, where the programs are not installed.
    pub fn start(http: SocketAddr, tls: SocketAddr, policy: Policy) -> Option<Self> {
        if !["pebble", "pebble-challtestsrv"].into_iter().all(is_installed) {
            eprintln!("skipped: pebble is not installed");
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let root = identify(&directory);
        let (address, management) = (free_address(), free_address());
        let mut pebble =
            Self { policy, directory, root, pebble: None, address, management, dns: Dns::start() };
        for _ in 0..ATTEMPTS {
            pebble.configure(http, tls);
            if pebble.run() {
                return Some(pebble);
            }
            (pebble.address, pebble.management) = (free_address(), free_address());
        }
        panic!("pebble does not start");
    }

    /// The URL of its directory.
    pub fn url(&self) -> String {
        format!("https://{}/dir", self.address)
    }

    /// What vouches for its own HTTPS certificate, PEM.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Where it tells, over HTTPS at `/roots/0`, what vouches for the certificates that it issues.
    pub fn management(&self) -> SocketAddr {
        self.management
    }

    /// Where DNS records are set: `/set-txt` and `/clear-txt`.
    pub fn dns(&self) -> SocketAddr {
        self.dns.management
    }

    /// Ends it, with all that it knows.
    pub fn stop(&mut self) {
        self.pebble = None;
    }

    /// Starts it again where it was. It keeps nothing: it does not know any account any more.
    pub fn start_again(&mut self) {
        assert!(self.run(), "pebble does not start again");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configure(&self, http: SocketAddr, tls: SocketAddr) {
        let config = json!({ "pebble": {
            "listenAddress": self.address.to_string(),
            "managementListenAddress": self.management.to_string(),
            "certificate": self.path("certificate.pem"),
            "privateKey": self.path("key.pem"),
            "httpPort": http.port(),
            "tlsPort": tls.port(),
            "externalAccountBindingRequired": self.policy.bound,
            "externalAccountMACKeys": { BOUND.0: BOUND.1 },
            "certificateValidityPeriod": VALIDITY.as_secs(),
        } });
        write(&self.directory, "config.json", &config.to_string());
    }

    /// Whether it came up: its ports may be taken.
    fn run(&mut self) -> bool {
        let mut command = Command::new("pebble");
        command.arg("-config").arg(self.path("config.json"));
        command.args(["-dnsserver", &self.dns.address.to_string()]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", self.policy.reuse.to_string());
        let mut process = Process::start(&mut command);
        let is_up = process.comes_up(self.management) && process.comes_up(self.address);
        self.pebble = is_up.then_some(process);
        is_up
    }
}

impl Dns {
    fn start() -> Self {
        for _ in 0..ATTEMPTS {
            let (management, address) = (free_address(), free_address());
            let mut command = Command::new("pebble-challtestsrv");
            command.args(["-management", &management.to_string(), "-dns01", &address.to_string()]);
            command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
            let mut server = Process::start(&mut command);
            if server.comes_up(management) && server.comes_up(address) {
                return Self { management, address, _server: server };
            }
        }
        panic!("pebble-challtestsrv does not start");
    }
}

/// Makes the certificate by which the authority is reached; returns what vouches for it.
fn identify(directory: &TempDir) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, new_key()).expect("it signs itself");
    let key = new_key();
    let leaf = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]);
    let leaf = leaf.expect("these are names").signed_by(&key, &root).expect("the root signs");
    write(directory, "certificate.pem", &leaf.pem());
    write(directory, "key.pem", &key.serialize_pem());
    root.pem()
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

fn write(directory: &TempDir, name: &str, text: &str) {
    std::fs::write(directory.path().join(name), text).expect("a temporary directory is writable");
}

fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}
