//! TLS with visitors: handshakes, certificates by the host asked for, sessions that go on at any router.
//!
//! Certificates are part of the table, read when they first appear in it. Nothing is read again because something else
//! changes, and a certificate that cannot be used leaves all others as they are.

mod cache;
mod certificates;
mod handshake;
mod pair;
mod platform;
mod resolver;
mod settings;
mod tickets;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::{CipherSuite, ServerConfig};
use tokio::sync::Semaphore;

use deis_api::internal::TicketKey;
use deis_model::routing::{MeshSettings, TlsSettings};

use crate::config::Config;
use crate::table::Table;

pub(crate) use cache::Cache;
pub(crate) use certificates::Certificates;
pub(crate) use handshake::{HandshakeError, Secured};
pub(crate) use pair::read_challenge;
pub(crate) use platform::PlatformCertificate;
pub(crate) use watch::watch;

use resolver::{ChallengeResolver, Resolver};
use tickets::Tickets;

/// Names of protocols within TLS. Source: RFC 7301, RFC 8737.
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
const ACME: &[u8] = b"acme-tls/1";

/// How this router speaks TLS with visitors.
pub(crate) struct Tls {
    table: Arc<ArcSwap<Table>>,
    current: ArcSwap<Current>,
    challenge_config: Arc<ServerConfig>,
    tickets: Arc<Tickets>,
    /// Places for clients that have connected and not yet set up TLS.
    handshakes: Semaphore,
    patience: Duration,
}

/// What operators set, and what follows from it.
struct Current {
    settings: TlsSettings,
    has_http_2: bool,
    /// By the router's own order of suites.
    config: Arc<ServerConfig>,
    /// By the client's.
    obliging: Arc<ServerConfig>,
}

impl Tls {
    /// With certificates and settings out of `table`, and `keys` for tickets.
    pub(crate) fn new(config: &Config, table: &Arc<ArcSwap<Table>>, keys: &[TicketKey]) -> Self {
        let tickets = Arc::new(Tickets::new());
        let challenges = Arc::new(ChallengeResolver(Arc::clone(table)));
        let mut challenge_config = server_config(&TlsSettings::default(), challenges);
        challenge_config.alpn_protocols = vec![ACME.to_vec()];
        let mesh = Arc::clone(&table.load().mesh);
        let current = Current::new(&mesh, table, &tickets);
        let tls = Self {
            table: Arc::clone(table),
            current: ArcSwap::from_pointee(current),
            challenge_config: Arc::new(challenge_config),
            tickets,
            handshakes: Semaphore::new(config.limits.handshakes),
            patience: config.timeouts.handshake,
        };
        tls.enforce(&mesh, keys);
        tls
    }

    /// Goes by `mesh` and `keys` from the next handshake on.
    pub(crate) fn enforce(&self, mesh: &MeshSettings, keys: &[TicketKey]) {
        self.tickets.share(keys);
        self.tickets.keep_for(mesh.tls.session_timeout);
        let current = self.current.load();
        if mesh.tls != current.settings || mesh.http2 != current.has_http_2 {
            self.current.store(Arc::new(Current::new(mesh, &self.table, &self.tickets)));
        }
    }
}

impl Current {
    fn new(mesh: &MeshSettings, table: &Arc<ArcSwap<Table>>, tickets: &Arc<Tickets>) -> Self {
        let (settings, has_http_2) = (mesh.tls.clone(), mesh.http2);
        let mut config = server_config(&settings, Arc::new(Resolver(Arc::clone(table))));
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        if has_http_2 {
            config.alpn_protocols.insert(0, HTTP_2.to_vec());
        }
        if settings.session_tickets {
            config.ticketer = Arc::clone(tickets) as _;
        }
        let obliging = Arc::new(config.clone());
        config.ignore_client_order = true;
        Self { settings, has_http_2, config: Arc::new(config), obliging }
    }

    /// How to speak with whom says `hello`. Whoever has no means of its own for AES likes ChaCha20 best, and is obliged,
    /// unless an operator chose suites: then his order counts.
    fn config(&self, hello: &ClientHello<'_>) -> &Arc<ServerConfig> {
        let is_chacha = |suite: &CipherSuite| suite.as_str().is_some_and(|name| name.contains("CHACHA20"));
        let is_known = |suite: &&CipherSuite| {
            self.config.crypto_provider().cipher_suites.iter().any(|known| known.suite() == **suite)
        };
        let first = hello.cipher_suites().iter().find(is_known);
        match self.settings.ciphers.is_empty() && first.is_some_and(is_chacha) {
            true => &self.obliging,
            false => &self.config,
        }
    }
}

/// Sessions are kept by clients, in tickets: routers would have to share them otherwise.
fn server_config(settings: &TlsSettings, resolver: Arc<dyn ResolvesServerCert>) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(Arc::new(settings::provider(settings)))
        .with_protocol_versions(&settings::versions(settings))
        .expect("there are suites for each version");
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config
}
