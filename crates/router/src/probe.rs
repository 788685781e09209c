//! Asking endpoints that are out whether they are well again, so that no visitor has to find out.
//!
//! Those of apps with a health check are asked for its path, as publishers ask them; of others all there is to know is
//! whether they accept connections. Nobody else is asked: whether a container that takes requests is well is for its
//! host's publisher to say.
//!
//! One probe at a time goes from this router to an endpoint, whatever the number of cores, and after one that found it
//! accepting but not well the next pause is never short.

use std::sync::Arc;
use std::time::Duration;

use deis_runtime::ProbeError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Millis};
use crate::endpoint::Endpoint;
use crate::room::is_full;

/// How many endpoints are probed at a time. Further ones come back when their pause is over.
const PROBES: usize = 1_000;

/// How long an app's health check may take, whatever the app says: meanwhile nobody else's place is free.
const LONGEST_CHECK: Duration = Duration::from_secs(60);

/// How often to look whether a pause has become shorter.
const LOOK: Millis = 250;

/// How probes call themselves.
const ASKER: &str = "deis-router";

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

    /// Takes charge of `endpoint`, which is out, until it is well or leaves the table.
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
        endpoint.leaving().run_until_cancelled(reach(&endpoint, clock, patience)).await;
        if !endpoint.ejection.hand_back() || endpoint.is_retired() {
            return;
        }
    }
}

/// Ends when `endpoint` is in, by this or by a request.
async fn reach(endpoint: &Endpoint, clock: Clock, patience: Duration) {
    loop {
        match endpoint.ejection.until() {
            // A request got through in the meantime.
            0 => return,
            until if until > clock.now() => {
                let pause = until.saturating_sub(clock.now()).min(LOOK);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            _ => ask(endpoint, clock, patience).await,
        }
    }
}

/// Asks `endpoint` once, and lets it in or makes its pause longer.
async fn ask(endpoint: &Endpoint, clock: Clock, patience: Duration) {
    let check = endpoint.check();
    let path = check.as_ref().and_then(|check| check.path.as_deref());
    let limit = check.as_ref().map_or(patience, |check| check.timeout().min(LONGEST_CHECK));
    let outcome = deis_runtime::probe(endpoint.address, path, limit, ASKER).await;
    let (now, ejection) = (clock.now(), &endpoint.ejection);
    match outcome {
        Ok(()) => endpoint.readmit(now),
        Err(ProbeError::Unreached { error, .. }) if is_full(&error) => ejection.put_off(now),
        Err(ProbeError::Unreached { .. } | ProbeError::NotAccepted { .. }) => _ = ejection.eject(now),
        Err(_) => _ = ejection.eject_for_long(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deis_model::HealthCheck;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

    /// An endpoint that is asked for `/up`.
    async fn checked() -> (Arc<Endpoint>, TcpListener) {
        let (endpoint, listener) = endpoint().await;
        let check =
            HealthCheck { path: Some("/up".to_owned()), initial_delay_seconds: 0, timeout_seconds: 20 };
        endpoint.check_by(Some(&Arc::new(check)));
        (endpoint, listener)
    }

    /// Answers with what `answer` says to the number of the request, from 0; how many there were, and the last one.
    fn answer(listener: TcpListener, answer: fn(usize) -> &'static str) -> Arc<AtomicUsize> {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0_u8; 1024];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /up HTTP/1.1\r\nHost: 127.0.0.1:"));
                stream.write_all(answer(count.fetch_add(1, SeqCst)).as_bytes()).await.unwrap();
            }
        });
        asked
    }

    #[tokio::test]
    async fn an_endpoint_that_accepts_but_is_not_well_stays_out_until_it_is() {
        let (clock, (endpoint, listener)) = (Clock::start(), checked().await);
        let asked = answer(listener, |number| match number {
            0 => "HTTP/1.1 500 Oops\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\n\r\n",
        });
        endpoint.ejection.eject(clock.now());
        prober(clock).watch(&endpoint);
        until(|| asked.load(SeqCst) == 1).await;
        endpoint.accepted(clock.now());
        assert!(endpoint.ejection.is_out(clock.now()), "as it accepts a visitor's connection");
        until(|| !endpoint.ejection.is_out(0)).await;
        assert_eq!(asked.load(SeqCst), 2);
    }

    #[tokio::test]
    async fn an_endpoint_that_is_not_well_is_seldom_asked() {
        let (clock, (endpoint, listener)) = (Clock::start(), checked().await);
        let asked = answer(listener, |_| "HTTP/1.1 503 Not yet\r\n\r\n");
        endpoint.ejection.eject(clock.now());
        let begun = clock.now();
        prober(clock).watch(&endpoint);
        until(|| asked.load(SeqCst) == 1).await;
        until(|| endpoint.ejection.until() >= begun + 1_600).await;
        for _ in 0..100 {
            endpoint.accepted(clock.now());
        }
        assert!(endpoint.ejection.until() >= begun + 1_600);
    }

    #[tokio::test]
    async fn an_endpoint_that_accepts_again_is_asked_at_once() {
        let (clock, (endpoint, listener)) = (Clock::start(), checked().await);
        let asked = answer(listener, |_| "HTTP/1.1 200 OK\r\n\r\n");
        (0..20).for_each(|_| _ = endpoint.ejection.eject(clock.now()));
        prober(clock).watch(&endpoint);
        endpoint.accepted(clock.now());
        assert!(endpoint.ejection.until() <= clock.now().max(1) && endpoint.ejection.is_out(clock.now()));
        until(|| !endpoint.ejection.is_out(0)).await;
        assert_eq!(asked.load(SeqCst), 1);
    }
}
