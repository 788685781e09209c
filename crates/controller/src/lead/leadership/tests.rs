//! Leadership with a lease that answers as a test says.

use std::sync::Mutex;

use axum::{Json, routing::get};
use deis_api::client::InternalClient;
use deis_api::internal::PlatformRoutes;
use deis_database::Database;
use deis_runtime::Role;

use super::*;
use crate::app::Events;
use crate::lead::{Seats, TermParts};
use crate::reconcile::DeploySettings;
use crate::routes::{RouteBook, Routing};

const PACE: Pace = Pace {
    ttl: Duration::from_millis(400),
    renew: Duration::from_millis(50),
    margin: Duration::from_millis(200),
};
/// How long anything may take, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);

/// How the database answers.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Away,
    /// Somebody else has the lease.
    Taken,
}

struct Moody {
    mood: Mutex<Mood>,
    released: Mutex<bool>,
}

impl Moody {
    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn answer<T>(&self, well: T, taken: T) -> Result<T, DatabaseError> {
        match *self.mood.lock().unwrap() {
            Mood::Well => Ok(well),
            Mood::Taken => Ok(taken),
            Mood::Away => Err(DatabaseError::Missing),
        }
    }
}

#[async_trait::async_trait]
impl Leases for Moody {
    async fn take(&self) -> Result<Option<Lease>, DatabaseError> {
        let (name, holder) = ("controller".to_owned(), "here".to_owned());
        self.answer(Some(Lease { name, holder, epoch: 3, ttl: PACE.ttl }), None)
    }

    async fn renew(&self, _: &Lease) -> Result<bool, DatabaseError> {
        self.answer(true, false)
    }

    async fn release(&self, _: &Lease) -> Result<(), DatabaseError> {
        *self.released.lock().unwrap() = true;
        Ok(())
    }

    async fn leader(&self) -> Result<Leader, DatabaseError> {
        let other = Leader { url: Some("http://other:8000".to_owned()), epoch: 4 };
        self.answer(Leader::default(), other)
    }
}

/// A controller's leadership at work.
struct Bench {
    leases: Arc<Moody>,
    seats: Seats,
    shutdown: Shutdown,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Bench {
    async fn start(peers: Vec<String>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let leases = Arc::new(Moody { mood: Mutex::new(Mood::Well), released: Mutex::new(false) });
        let (seat, seats) = watch::channel(Seat::Following(Leader::default()));
        let shutdown = Shutdown::new();
        let leadership = Leadership {
            leases: Arc::clone(&leases) as Arc<dyn Leases>,
            pace: PACE,
            open_term: open_term(shutdown.clone()).await,
            peers,
            dial: Arc::new(|url| InternalClient::new(url, "key")),
            seat,
            status: StatusBoard::new(Role::Controller),
            shutdown: shutdown.clone(),
            served: shutdown.clone(),
        };
        tokio::spawn(leadership.run());
        Self { leases, seats, shutdown }
    }

    /// Waits until it sits so, and returns the term that it leads.
    async fn sits(&self, what: &str, is_so: impl Fn(&Seat) -> bool) -> Option<Arc<Term>> {
        let sits = async {
            loop {
                let seat = self.seats.borrow().clone();
                if is_so(&seat) {
                    return seat.term().cloned();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, sits).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }

    async fn leads(&self) -> Arc<Term> {
        let leads = |seat: &Seat| seat.term().is_some_and(|term| !term.is_suspended());
        self.sits("it leads", leads).await.expect("it leads")
    }

    async fn is_suspended(&self) -> Arc<Term> {
        let suspended = |seat: &Seat| seat.term().is_some_and(|term| term.is_suspended());
        self.sits("it is suspended", suspended).await.expect("it leads")
    }

    async fn follows(&self) {
        self.sits("it follows", |seat| seat.term().is_none()).await;
    }
}

async fn open_term(shutdown: Shutdown) -> OpenTerm {
    let database = Database::open("sqlite::memory:").await.unwrap();
    let engine = deis_scheduler::open("memory://", Default::default()).await.unwrap();
    let events = Events::start(InternalClient::new("http://127.0.0.1:9", "key"), shutdown.clone());
    let settings = DeploySettings {
        domain: "example.com".to_owned(),
        ready_timeout: LIMIT,
        drain_timeout: LIMIT,
        stop_grace: LIMIT,
        job_timeout: LIMIT,
        move_pause: Duration::from_secs(60),
    };
    Box::new(move |lease, _| {
        let book = RouteBook::new(lease.epoch.to_string(), PlatformRoutes::default(), Duration::ZERO);
        let parts = TermParts {
            database: database.clone(),
            scheduler: Arc::clone(&engine.scheduler),
            output: Arc::clone(&engine.output),
            events: events.clone(),
            settings: settings.clone(),
            routing: Arc::new(Routing::new(book)),
            vault: crate::Vault::open(&"a".repeat(64)).unwrap(),
            leader: Leader { url: None, epoch: lease.epoch },
        };
        Term::new(parts, shutdown.child_token())
    })
}

#[tokio::test]
async fn a_leader_without_its_database_pauses_and_goes_on() {
    let bench = Bench::start(Vec::new()).await;
    let term = bench.leads().await;
    bench.leases.is(Mood::Away);
    let paused = bench.is_suspended().await;
    assert!(Arc::ptr_eq(&term, &paused), "its routes are still told");
    bench.leases.is(Mood::Well);
    assert!(Arc::ptr_eq(&term, &bench.leads().await));
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_steps_down() {
    let bench = Bench::start(Vec::new()).await;
    let term = bench.leads().await;
    bench.leases.is(Mood::Taken);
    tokio::time::timeout(LIMIT, term.ended()).await.expect("its term ends");
    bench.sits("it names its successor", |seat| seat.leader().epoch == 4).await;
    bench.leases.is(Mood::Well);
    assert!(!Arc::ptr_eq(&term, &bench.leads().await), "it knows nothing of what went on meanwhile");
}

#[tokio::test]
async fn a_leader_that_alone_is_cut_off_from_the_database_steps_down() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = format!("http://{}", listener.local_addr().unwrap());
    let says = || async { Json(Leader { url: Some("http://other:8000".to_owned()), epoch: 4 }) };
    let router = axum::Router::new().route("/internal/leader", get(says));
    let serving = tokio::spawn(axum::serve(listener, router).into_future());
    let bench = Bench::start(vec![peer]).await;
    bench.leads().await;
    bench.leases.is(Mood::Away);
    bench.follows().await;
    serving.abort();
}

#[tokio::test]
async fn a_leader_that_ends_gives_the_lease_back() {
    let bench = Bench::start(Vec::new()).await;
    bench.leads().await;
    bench.shutdown.cancel();
    bench.follows().await;
    let released = || *bench.leases.released.lock().unwrap();
    let given_back = async {
        while !released() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, given_back).await.expect("the lease is given back");
}
