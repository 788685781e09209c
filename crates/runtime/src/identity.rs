//! Who a process is to the others of its platform, proven by certificates: mutual TLS between hosts.
//!
//! An [`Authority`] is made once per platform and stays with the operator's tools. It issues an [`IdentityBundle`]
//! per role: an intermediate CA that can only name `<host>.<role>.deis.internal`. A process that holds its role's
//! bundle makes an [`Identity`] from it, which issues itself short-lived leaves and knows its [`Peer`]s by theirs.
//!
//! | certificate | valid | key is with |
//! |---|---|---|
//! | root | [`ROOT_DAYS`](authority::ROOT_DAYS) | the authority |
//! | intermediate, one per role | [`ROLE_DAYS`](authority::ROLE_DAYS) | that role's containers |
//! | leaf, one per process | [`LEAF_SECONDS`](leaf::LEAF_SECONDS), renewed at half of it | that process, in memory |
//!
//! A root is replaced in three steps, with all bundles issued anew and spread in each: the old authority trusts the new
//! root ([`Authority::trust`]); the new one issues and trusts the old root; the new one issues alone. Connections that
//! are open stay open throughout: a certificate counts when a connection begins.

pub mod authority;
mod bundle;
mod certificate;
mod error;
mod files;
mod keeper;
pub mod leaf;
mod name;
mod peer;
pub(crate) mod pem;
mod verifier;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deis_api::client::Peers;
use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ServerConfig};

pub use authority::Authority;
pub use bundle::IdentityBundle;
pub use error::IdentityError;
pub use files::IdentityFiles;
pub use peer::Peer;

use keeper::Keeper;
use verifier::Verifier;

/// What one process is and proves to be. Cheap to clone; holds a key, so it has no `Debug`.
#[derive(Clone)]
pub struct Identity {
    keeper: Arc<Keeper>,
}

impl Identity {
    /// What the bundle in the file at `path` makes of a process on `host`.
    ///
    /// The file is read again whenever it changes; one that cannot be used then is logged and changes nothing.
    /// Fails if the file cannot be read, is no bundle, or its certificates do not fit or are not valid now.
    pub fn load(path: &Path, host: &str) -> Result<Self, IdentityError> {
        Self::load_at(path, host, Arc::new(DefaultTimeProvider))
    }

    /// The same by another clock.
    pub fn load_at(path: &Path, host: &str, clock: Arc<dyn TimeProvider>) -> Result<Self, IdentityError> {
        Keeper::open(path, host, clock).map(|keeper| Self { keeper: Arc::new(keeper) })
    }

    /// Its role.
    pub fn role(&self) -> &str {
        self.keeper.role()
    }

    /// When the bundle ends: without another one until then, nobody believes this process any more.
    pub fn expires(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.keeper.current().expires)
    }

    /// For servers: a certificate of this platform is required of every client, of any role. Follows rotation.
    pub fn server(&self) -> Arc<ServerConfig> {
        let clock = self.keeper.clock();
        let mut config = ServerConfig::builder_with_details(certificate::provider(), clock)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3")
            .with_client_cert_verifier(Arc::new(Verifier::of_any(Arc::clone(&self.keeper))))
            .with_cert_resolver(Arc::clone(&self.keeper) as _);
        // Every connection is to be judged by the certificates of now.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }

    /// For clients of servers that are `role`, whatever the address. Follows rotation.
    pub fn client(&self, role: impl AsRef<str>) -> Arc<ClientConfig> {
        let clock = self.keeper.clock();
        let verifier = Verifier::of_role(Arc::clone(&self.keeper), role.as_ref());
        let mut config = ClientConfig::builder_with_details(certificate::provider(), clock)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::clone(&self.keeper) as _);
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }

    /// Those who are `role` at `addresses` (`host:port`), to be called as this process.
    pub fn peers<A: ToString>(&self, addresses: impl IntoIterator<Item = A>, role: impl AsRef<str>) -> Peers {
        Peers::new(addresses, Some(self.client(role)))
    }
}
