//! Asking endpoints that are out whether they accept connections again, so that no visitor has to find out.
//!
//! Only those: whether a container that takes requests is well is for its host's publisher to say.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::room::is_full;

/// How many endpoints are probed at a time. Further ones come back when their pause is over.
const PROBES: usize = 1_000;

/// Probes endpoints that are out.
pub(crate) struct Prober {
    places: Arc<Semaphore>,
    clock: Clock,
    patience: Duration,
    ending: CancellationToken,
}

impl Prober {
    /// A prober that waits as long as `patience` for a connection, and ends with `ending`.
    pub(crate) fn new(clock: Clock, patience: Duration, ending: CancellationToken) -> Self {
        Self { places: Arc::new(Semaphore::new(PROBES)), clock, patience, ending }
    }

    /// Takes charge of `endpoint`, which is out, until it accepts a connection or leaves the table.
    pub(crate) fn watch(&self, endpoint: &Arc<Endpoint>) {
        if !endpoint.ejection.claim() {
            return;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            endpoint.ejection.unclaim();
            return;
        };
        let (probing, ending) = (probe(Arc::clone(endpoint), self.clock, self.patience), self.ending.clone());
        tokio::spawn(async move {
            ending.run_until_cancelled(probing).await;
            drop(place);
        });
    }
}

async fn probe(endpoint: Arc<Endpoint>, clock: Clock, patience: Duration) {
    loop {
        reach(&endpoint, clock, patience).await;
        if !endpoint.ejection.hand_back() || endpoint.is_retired() {
            return;
        }
    }
}

/// Ends when `endpoint` has been reached, by this or by a request, or has left the table.
async fn reach(endpoint: &Endpoint, clock: Clock, patience: Duration) {
    loop {
        let pause = endpoint.ejection.until().saturating_sub(clock.now());
        tokio::select! {
            () = endpoint.leaving().cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(pause)) => {}
        }
        match endpoint.ejection.until() {
            // A request got through in the meantime.
            0 => return,
            until if until > clock.now() => continue,
            _ => {}
        }
        match tokio::time::timeout(patience, TcpStream::connect(endpoint.address)).await {
            Ok(Ok(_)) => return endpoint.readmit(clock.now()),
            Ok(Err(error)) if is_full(&error) => endpoint.ejection.put_off(clock.now()),
            _ => _ = endpoint.ejection.eject(clock.now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn prober(clock: Clock) -> Prober {
        Prober::new(clock, Duration::from_secs(20), CancellationToken::new())
    }

    async fn endpoint() -> (Arc<Endpoint>, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Arc::new(Endpoint::new(address, None, 1, Arc::default())), listener)
    }

    async fn until(mut condition: impl FnMut() -> bool) {
        let wait = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it holds in time");
    }

    #[tokio::test]
    async fn an_endpoint_that_accepts_is_let_in() {
        let (clock, (endpoint, _listener)) = (Clock::start(), endpoint().await);
        endpoint.ejection.eject(clock.now());
        prober(clock).watch(&endpoint);
        until(|| !endpoint.ejection.is_out(0)).await;
    }

    #[tokio::test]
    async fn an_endpoint_that_requests_let_in_is_probed_when_it_is_out_again() {
        let (clock, (endpoint, _listener)) = (Clock::start(), endpoint().await);
        let prober = prober(clock);
        endpoint.ejection.eject(clock.now());
        prober.watch(&endpoint);
        endpoint.ejection.readmit();
        // Another core took it out just before, and claims it just after it was let in.
        assert!(endpoint.ejection.claim());
        until(|| prober.places.available_permits() == PROBES).await;
        endpoint.ejection.eject(clock.now());
        prober.watch(&endpoint);
        until(|| !endpoint.ejection.is_out(0)).await;
    }

    #[tokio::test]
    async fn an_endpoint_that_refuses_stays_out_until_it_leaves() {
        let (clock, (endpoint, listener)) = (Clock::start(), endpoint().await);
        drop(listener);
        let prober = prober(clock);
        endpoint.ejection.eject(clock.now());
        prober.watch(&endpoint);
        let first = endpoint.ejection.until();
        until(|| endpoint.ejection.until() > first).await;
        assert!(endpoint.ejection.is_out(u64::MAX));
        endpoint.retire();
        until(|| prober.places.available_permits() == PROBES).await;
    }

    #[tokio::test]
    async fn beyond_the_limit_endpoints_come_back_by_themselves() {
        let (clock, (endpoint, _listener)) = (Clock::start(), endpoint().await);
        let prober = prober(clock);
        prober.places.close();
        endpoint.ejection.eject(clock.now());
        prober.watch(&endpoint);
        assert!(!endpoint.ejection.is_out(u64::MAX));
    }
}
