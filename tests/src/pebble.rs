//! A certificate authority for a platform.

use std::net::SocketAddr;

use deis_test_pebble::Policy;

/// An authority that finds every name on loopback. Ends when dropped.
pub struct Pebble(deis_test_pebble::Pebble);

impl Pebble {
    /// Starts one that asks names at the port of `http`. None, and a line about it, where it is not installed.
    pub fn start(http: SocketAddr) -> Option<Self> {
        deis_test_pebble::Pebble::start(http, http, Policy::default()).map(Self)
    }

    /// The URL of its directory.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// What vouches for its own HTTPS certificate, PEM.
    pub fn own_root(&self) -> &str {
        self.0.root()
    }

    /// What vouches for the certificates that it issues, PEM.
    pub fn root(&self) -> String {
        let own = reqwest::Certificate::from_pem(self.own_root().as_bytes()).expect("it is a certificate");
        let client = reqwest::blocking::Client::builder().no_proxy().add_root_certificate(own).build();
        let client = client.expect("a plain client always builds");
        let answer = client.get(format!("https://{}/roots/0", self.0.management())).send();
        answer.and_then(reqwest::blocking::Response::text).expect("it tells its root")
    }
}
