//! What keeps certificates, with an app, routers and an authority that are there for tests alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use deis_api::client::InternalClient;
use deis_controller::Vault;
use deis_controller::acme::{AcmeParts, Keeper, Routers};
use deis_controller::app::Events;
use deis_controller::lead::Gate;
use deis_database::{AcmeAccount, AcmePair, AcmeState, Database, Lease, NewUser};
use deis_model::AppId;
use deis_runtime::{Role, Shutdown, StatusBoard};
use deis_test_pebble::{Pebble, Policy};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::JoinHandle;

use crate::logger::FakeLogger;
use crate::routers::FakeRouters;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) const HOST: &str = "www.example.com";

/// An app with domains, and everything around it.
pub(crate) struct Bench {
    pub(crate) database: Database,
    pub(crate) routers: Arc<FakeRouters>,
    pub(crate) authority: Pebble,
    pub(crate) board: StatusBoard,
    pub(crate) logger: FakeLogger,
    pub(crate) directory: TempDir,
    events: Events,
    ahead: Arc<AtomicI64>,
    /// The controllers' lease.
    lease: Lease,
    keeper: Option<JoinHandle<()>>,
    shutdown: Shutdown,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.kill();
    }
}

impl Bench {
    /// Nothing is done yet. None where there is no authority to test with.
    pub(crate) async fn quiet(policy: Policy) -> Option<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let routers = FakeRouters::start().await;
        let authority = Pebble::start(routers.http, routers.tls, policy)?;
        let database = Database::open("sqlite::memory:").await.unwrap();
        let lease = take_lease(&database).await;
        let (logger, shutdown) = (FakeLogger::start().await, Shutdown::new());
        let events = Events::start(InternalClient::new(&logger.url, "key"), shutdown.clone());
        let bench = Self {
            database,
            routers,
            authority,
            board: StatusBoard::new(Role::Controller),
            logger,
            directory: tempfile::tempdir().unwrap(),
            events,
            ahead: Arc::default(),
            lease,
            keeper: None,
            shutdown,
        };
        let settings = [
            ("acme/enabled", "on".to_owned()),
            ("acme/directory", bench.authority.url()),
            ("acme/caCertificates", bench.authority.root().to_owned()),
        ];
        bench.set(&settings).await;
        bench.create_app().await;
        Some(bench)
    }

    /// A controller leads, and `www.example.com` leads to the app `blog`.
    pub(crate) async fn start() -> Option<Self> {
        let mut bench = Self::quiet(Policy::default()).await?;
        bench.lead();
        bench.add_domain(HOST).await;
        Some(bench)
    }

    async fn create_app(&self) {
        let user = NewUser {
            username: "ann".to_owned(),
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: "hash".to_owned(),
        };
        self.database.create_user(user).await.unwrap();
        self.database.create_app(&blog(), "ann", "blog.deis.example").await.unwrap();
    }

    /// A controller leads.
    pub(crate) fn lead(&mut self) {
        self.kill();
        self.keeper = Some(tokio::spawn(self.keeper().run()));
    }

    /// What the controller does that leads.
    pub(crate) fn keeper(&self) -> Keeper {
        let ahead = Arc::clone(&self.ahead);
        Keeper::new(AcmeParts {
            database: self.database.fenced(&self.lease),
            vault: vault(),
            routers: Arc::clone(&self.routers) as Arc<dyn Routers>,
            events: self.events.clone(),
            status: self.board.clone(),
            gate: Gate::open(),
            domain: "deis.example".to_owned(),
            clock: Arc::new(move || {
                OffsetDateTime::now_utc() + time::Duration::seconds(ahead.load(Ordering::SeqCst))
            }),
        })
    }

    /// That controller is killed.
    pub(crate) fn kill(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
    }

    /// Another controller takes the lease.
    pub(crate) async fn lose_lease(&mut self) {
        self.lease = take_lease(&self.database).await;
    }

    /// Time passes, and the controller that leads looks again.
    pub(crate) fn pass(&mut self, time: time::Duration) {
        self.ahead.fetch_add(time.whole_seconds(), Ordering::SeqCst);
        if self.keeper.is_some() {
            self.lead();
        }
    }

    pub(crate) async fn set(&self, settings: &[(&str, String)]) {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), Some(value.clone())));
        let settings: BTreeMap<String, Option<String>> = settings.collect();
        self.database.change_settings("router", &settings).await.unwrap();
    }

    /// Sets one that the database keeps sealed.
    pub(crate) async fn set_secret(&self, key: &str, value: &str) {
        let sealed = vault().seal(&format!("setting router {key}"), value);
        self.set(&[(key, sealed)]).await;
    }

    pub(crate) async fn add_domain(&self, host: &str) {
        self.database.add_domain(&blog(), "ann", host, None).await.unwrap();
    }

    pub(crate) async fn remove_domain(&self, host: &str) {
        assert!(self.database.remove_domain(&blog(), host).await.unwrap());
    }

    pub(crate) async fn state(&self, host: &str) -> Option<AcmeState> {
        self.database.acme_states().await.unwrap().remove(host)
    }

    pub(crate) async fn account(&self) -> Option<AcmeAccount> {
        self.database.acme_account(&self.authority.url()).await.unwrap()
    }

    /// The certificate that is served for `host`.
    pub(crate) async fn served(&self, host: &str) -> Option<AcmePair> {
        self.database.acme_pairs(&[host.to_owned()]).await.unwrap().pop()
    }

    /// Waits until a certificate is served for `host` that is not `before`.
    pub(crate) async fn await_certificate(&self, host: &str, before: Option<&AcmePair>) -> AcmePair {
        self.until(host, async || self.served(host).await.filter(|pair| Some(pair) != before)).await
    }

    /// Waits until there is something.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(found) => found,
            Err(_) => {
                let (states, account) = (self.database.acme_states().await, self.account().await);
                panic!("waited in vain for {what}: {states:#?} {account:#?} {:#?}", self.board.snapshot());
            }
        }
    }
}

async fn take_lease(database: &Database) -> Lease {
    let ttl = Duration::from_secs(3600);
    database.take_lease("controller", "one", "http://one", ttl).await.unwrap().unwrap()
}

fn vault() -> Vault {
    Vault::open(&"5a".repeat(32)).unwrap()
}

pub(crate) fn blog() -> AppId {
    AppId::parse("blog").unwrap()
}
