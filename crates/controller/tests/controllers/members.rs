//! A controller behind mutual TLS, and members of its platform who call it.

use std::net::SocketAddr;
use std::path::Path;

use deis_api::client::{Credential, InternalClient};
use deis_controller::Controller;
use deis_database::Database;
use deis_runtime::identity::Authority;
use deis_runtime::{Identity, Role, Shutdown};
use serde_json::Value;
use tempfile::TempDir;

use super::engine::SharedEngine;
use super::fleet::{self, KEY};

/// Who calls.
pub(crate) const ROLES: [&str; 6] = ["controller", "router", "publisher", "builder", "logspout", "deisctl"];

/// The controller of a platform, on the host `here` like everybody else.
pub(crate) struct Plane {
    authority: Authority,
    directory: TempDir,
    address: SocketAddr,
    shutdown: Shutdown,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (authority, directory) = (Authority::create().unwrap(), tempfile::tempdir().unwrap());
        let database = Database::open("sqlite::memory:").await.unwrap();
        let mut config = fleet::config(0, database, SharedEngine::open(1).await.of(0));
        config.peers.clear();
        config.identity = Some(identity(&authority, directory.path(), "controller"));
        let controller = Controller::bind(config).await.unwrap();
        let (address, shutdown) = (controller.local_addr(), Shutdown::new());
        tokio::spawn(controller.run(shutdown.clone()));
        Self { authority, directory, address, shutdown }
    }

    /// How the controller answers a member with the internal key.
    pub(crate) async fn call(&self, role: &str, method: &str, path: &str, body: &Value) -> u16 {
        let identity = identity(&self.authority, self.directory.path(), role);
        let peers = identity.peers([self.address], Role::Controller);
        let client = InternalClient::over(peers, Credential::Key(KEY.to_owned()));
        let request = client.request(method.parse().unwrap(), path).json(body);
        client.answer(request).await.unwrap().status().as_u16()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn identity(authority: &Authority, directory: &Path, role: &str) -> Identity {
    let path = directory.join(role);
    std::fs::write(&path, authority.issue(role).unwrap().to_pem()).unwrap();
    Identity::load(&path, "here").unwrap()
}
