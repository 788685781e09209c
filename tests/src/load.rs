//! A steady load of requests that counts failures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests under way until stopped: half of the workers keep their connection, half open a new one each time.
pub struct Load {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    workers: Vec<JoinHandle<Vec<String>>>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
}

/// What became of a load.
#[derive(Debug)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Those that were not answered with 200.
    pub failed: u64,
    /// What some of the failures were.
    pub examples: Vec<String>,
}

impl Load {
    /// Sends requests for `host` to the router at `router`, each of `workers` one every 20 ms.
    pub fn start(router: SocketAddr, host: &str, workers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let spawn = |index: usize| {
            let (stop, counts, host) = (Arc::clone(&stop), Arc::clone(&counts), host.to_owned());
            std::thread::spawn(move || work(router, &host, index.is_multiple_of(2), &stop, &counts))
        };
        let workers = (0..workers).map(spawn).collect();
        Self { stop, counts, workers }
    }

    /// Ends the load and tells what became of it.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let examples =
            self.workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally { sent: count(&self.counts.sent), failed: count(&self.counts.failed), examples }
    }
}

fn work(router: SocketAddr, host: &str, keeps: bool, stop: &AtomicBool, counts: &Counts) -> Vec<String> {
    let client = client(keeps);
    let mut examples = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        counts.sent.fetch_add(1, Ordering::Relaxed);
        if let Err(failure) = request(&client, router, host) {
            counts.failed.fetch_add(1, Ordering::Relaxed);
            if examples.len() < 3 {
                examples.push(failure);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    examples
}

fn client(keeps: bool) -> reqwest::blocking::Client {
    let idle = if keeps { 8 } else { 0 };
    let builder = reqwest::blocking::Client::builder().no_proxy().pool_max_idle_per_host(idle);
    builder.timeout(Duration::from_secs(15)).build().expect("a plain client always builds")
}

fn request(client: &reqwest::blocking::Client, router: SocketAddr, host: &str) -> Result<(), String> {
    let response = client.get(format!("http://{router}/")).header("Host", host).send();
    let response = response.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let body = response.text().map_err(|error| format!("{error:?}"))?;
    if status == 200 {
        Ok(())
    } else {
        Err(format!("{status}: {}", body.chars().take(200).collect::<String>()))
    }
}
