//! Leadership: taking the lease, keeping it, stepping down in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deis_api::internal::Leader;
use deis_database::{DatabaseError, Lease};
use deis_runtime::{Shutdown, StatusBoard};
use http::Method;
use tokio::sync::watch;
use tracing::{info, warn};

use super::lease::{Leases, Pace};
use super::seat::{Dial, Seat};
use super::{Gate, Term};

/// How soon a renewal that failed is tried again.
const RETRY: Duration = Duration::from_millis(300);
/// How long one call of the database may take here.
const CALL: Duration = Duration::from_secs(2);
/// How long another controller may take to say who leads.
const PEER_CALL: Duration = Duration::from_secs(1);

/// Begins a term under a lease, to act while the gate is open.
pub(crate) type OpenTerm = Box<dyn Fn(&Lease, Gate) -> Arc<Term> + Send + Sync>;

/// Keeps this controller's seat.
pub(crate) struct Leadership {
    /// The lease.
    pub(crate) leases: Arc<dyn Leases>,
    /// How it is kept.
    pub(crate) pace: Pace,
    /// Begins terms, still at rest.
    pub(crate) open_term: OpenTerm,
    /// Base URLs of the other controllers.
    pub(crate) peers: Vec<String>,
    /// Calls them.
    pub(crate) dial: Dial,
    /// Told of every change.
    pub(crate) seat: watch::Sender<Seat>,
    /// What is wrong, for operators.
    pub(crate) status: StatusBoard,
    /// Ends leading.
    pub(crate) shutdown: Shutdown,
    /// Cancelled once no request is under way any more that waits for whoever leads then.
    pub(crate) served: Shutdown,
}

/// A lease while this controller acts by it.
struct Held {
    lease: Lease,
    term: Arc<Term>,
    gate: Gate,
    /// When this controller stops to act, unless the lease is renewed before.
    acts_until: Instant,
}

/// How the lease is after an attempt to renew it.
enum Renewal {
    Renewed,
    /// Somebody else has it.
    Lost,
    /// The database does not answer.
    Unknown,
}

impl Leadership {
    /// Leads whenever it can, until shutdown; then the next may at once, and is followed while requests are served.
    pub(crate) async fn run(self) {
        while !self.shutdown.is_cancelled() {
            let asked = Instant::now();
            match self.call(self.leases.take()).await {
                Some(Some(lease)) => self.lead(lease, asked).await,
                Some(None) => self.follow().await,
                // Who led may well lead on.
                None => {}
            }
            self.pause(self.pace.renew).await;
        }
        while !self.served.is_cancelled() {
            self.follow().await;
            let _ = self.served.run_until_cancelled(tokio::time::sleep(RETRY)).await;
        }
    }

    async fn follow(&self) {
        if let Some(leader) = self.call(self.leases.leader()).await {
            self.seat.send_if_modified(|seat| {
                let is_news = seat.term().is_some() || seat.leader() != leader;
                *seat = Seat::Following(leader);
                is_news
            });
        }
    }

    /// Leads until the lease is lost or this controller ends.
    async fn lead(&self, lease: Lease, asked: Instant) {
        let acts_until = asked + self.pace.acts();
        let gate = Gate::open_until(acts_until);
        let term = (self.open_term)(&lease, gate.clone());
        info!(epoch = term.leader().epoch, "leading");
        term.work();
        self.seat.send_replace(Seat::Leading(Arc::clone(&term)));
        let held = Held { lease, term: Arc::clone(&term), gate, acts_until };
        let lease = self.keep(held).await;
        self.seat.send_replace(Seat::Following(Leader::default()));
        term.end().await;
        info!(epoch = term.leader().epoch, "leading no more");
        match lease {
            Some(lease) => drop(self.call(self.leases.release(&lease)).await),
            None => self.follow().await,
        }
    }

    /// Renews the lease until shutdown, which returns it, or until somebody else leads.
    async fn keep(&self, mut held: Held) -> Option<Lease> {
        let mut pause = self.pace.renew;
        loop {
            self.pause(pause).await;
            if self.shutdown.is_cancelled() {
                return Some(held.lease);
            }
            let asked = Instant::now();
            pause = match self.renew(&held).await {
                Renewal::Lost => return None,
                Renewal::Unknown if self.has_successor(&held).await => return None,
                Renewal::Unknown => RETRY,
                Renewal::Renewed => {
                    self.go_on(&mut held, asked).await;
                    self.pace.renew
                }
            };
        }
    }

    /// Tries to renew the lease, and steps back while it cannot be known whether it is still this controller's.
    async fn renew(&self, held: &Held) -> Renewal {
        let renewal = async {
            match self.call(self.leases.renew(&held.lease)).await {
                Some(true) => Renewal::Renewed,
                Some(false) => Renewal::Lost,
                None => Renewal::Unknown,
            }
        };
        let mut renewal = std::pin::pin!(renewal);
        let last_moment = tokio::time::sleep_until(held.acts_until.into());
        tokio::select! {
            renewal = &mut renewal => return renewal,
            () = last_moment, if !held.term.is_suspended() => {}
        }
        warn!(
            "failed to renew the lease in time; routes stay, but nothing is changed until the database answers"
        );
        held.term.suspend().await;
        renewal.await
    }

    async fn go_on(&self, held: &mut Held, asked: Instant) {
        held.acts_until = asked + self.pace.acts();
        held.gate.extend(held.acts_until);
        if held.term.is_suspended() {
            info!("the lease is renewed; going on");
            held.term.resume().await;
        }
    }

    /// Whether another controller says that somebody leads since later than this one. Asked only once it stepped back:
    /// it may be the only one that does not reach the database.
    async fn has_successor(&self, held: &Held) -> bool {
        if !held.term.is_suspended() {
            return false;
        }
        let own = held.term.leader().epoch;
        let asked = self.peers.iter().map(|peer| self.ask(peer));
        futures::future::join_all(asked).await.into_iter().flatten().any(|leader| leader.epoch > own)
    }

    async fn ask(&self, peer: &str) -> Option<Leader> {
        let client = (self.dial)(peer);
        let request = client.request(Method::GET, "/internal/leader").timeout(PEER_CALL);
        client.json(request).await.ok()
    }

    /// What the database answers, if it does.
    async fn call<T>(&self, call: impl Future<Output = Result<T, DatabaseError>>) -> Option<T> {
        let trouble = match tokio::time::timeout(CALL, call).await {
            Ok(Ok(answer)) => {
                self.status.well("database");
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the database did not answer within {} s", CALL.as_secs()),
        };
        let cure = "start the database, or correct database.url; apps are served meanwhile";
        self.status.trouble("database", trouble, cure);
        None
    }

    async fn pause(&self, time: Duration) {
        let _ = self.shutdown.run_until_cancelled(tokio::time::sleep(time)).await;
    }
}

#[cfg(test)]
mod tests;
