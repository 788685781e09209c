//! A certificate authority: Pebble, and the DNS server that it asks, from the distribution's packages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use crate::ports::free_address;

/// How long programs may take to start on a busy machine.
const STARTS: Duration = Duration::from_secs(60);

/// An authority that finds every name on loopback. Ends when dropped.
pub struct Pebble {
    directory: tempfile::TempDir,
    address: SocketAddr,
    management: SocketAddr,
    processes: Vec<Child>,
}

impl Pebble {
    /// Starts one that asks names at the port of `http`. None, and a line about it, where it is not installed.
    pub fn start(http: SocketAddr) -> Option<Self> {
        let (dns, records) = (free_address(), free_address());
        let mut resolver = Command::new("pebble-challtestsrv");
        resolver.args(["-dns01", &dns.to_string(), "-management", &records.to_string()]);
        resolver.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
        let Ok(resolver) = quietly(&mut resolver).spawn() else {
            eprintln!("skipped: pebble is not installed");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (address, management) = (free_address(), free_address());
        let mut pebble = Self { directory, address, management, processes: vec![resolver] };
        pebble.write_files(http);
        let mut authority = Command::new("pebble");
        authority.arg("-config").arg(pebble.path("config.json")).args(["-dnsserver", &dns.to_string()]);
        let authority = quietly(authority.env("PEBBLE_VA_NOSLEEP", "1")).spawn().expect("it is installed");
        pebble.processes.push(authority);
        [dns, address, management].into_iter().for_each(await_listener);
        Some(pebble)
    }

    /// The URL of its directory.
    pub fn url(&self) -> String {
        format!("https://{}/dir", self.address)
    }

    /// What vouches for its own HTTPS certificate: a file with PEM.
    pub fn own_root(&self) -> PathBuf {
        self.path("root.pem")
    }

    /// What vouches for the certificates that it issues, PEM.
    pub fn root(&self) -> String {
        let own = std::fs::read(self.own_root()).expect("it was written");
        let own = reqwest::Certificate::from_pem(&own).expect("it is a certificate");
        let client = reqwest::blocking::Client::builder().no_proxy().add_root_certificate(own).build();
        let client = client.expect("a plain client always builds");
        let answer = client.get(format!("https://{}/roots/0", self.management)).send();
        answer.and_then(reqwest::blocking::Response::text).expect("it tells its root")
    }

    fn write_files(&self, http: SocketAddr) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = || KeyPair::generate().expect("a key can be made");
        let root = CertifiedIssuer::self_signed(params, key()).expect("it signs itself");
        let own_key = key();
        let own = CertificateParams::new([self.address.ip().to_string()]).expect("an address is a name");
        let own = own.signed_by(&own_key, &root).expect("the root signs");
        let config = json!({ "pebble": {
            "listenAddress": self.address.to_string(),
            "managementListenAddress": self.management.to_string(),
            "certificate": self.path("own.pem"),
            "privateKey": self.path("own.key"),
            "httpPort": http.port(),
            "tlsPort": http.port(),
        } });
        let files = [
            ("root.pem", root.pem()),
            ("own.pem", own.pem()),
            ("own.key", own_key.serialize_pem()),
            ("config.json", config.to_string()),
        ];
        for (name, text) in files {
            std::fs::write(self.path(name), text).expect("a temporary directory is writable");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn quietly(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn await_listener(address: SocketAddr) {
    let until = Instant::now() + STARTS;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "nobody listens at {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
