//! Visitors of a cluster, through a load balancer as operators have one in front of their routers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often each worker sends a request.
const PERIOD: Duration = Duration::from_millis(50);
/// How long a router may take to accept a connection before the balancer turns to the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often the balancer asks each router whether it is well.
const CHECK_PERIOD: Duration = Duration::from_millis(500);
/// Where a router says so.
const HEALTH_PORT: u16 = 9090;
/// How many failures are told in full.
const EXAMPLES: usize = 5;

/// Requests under way until stopped.
pub struct Visitors {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    threads: Vec<JoinHandle<()>>,
}

/// What visitors saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests that were answered with 200.
    pub served: u64,
    /// When others failed, and how.
    pub failures: Vec<(Instant, String)>,
    /// The longest time in which no request was answered.
    pub longest_gap: Duration,
    last_served: Option<Instant>,
}

impl Seen {
    /// From the first failure to the last.
    pub fn failing_for(&self) -> Duration {
        let times = || self.failures.iter().map(|(when, _)| *when);
        times().max().zip(times().min()).map_or(Duration::ZERO, |(last, first)| last - first)
    }

    /// Some failures, for those who look into them.
    pub fn examples(&self) -> String {
        let examples = self.failures.iter().take(EXAMPLES).map(|(_, what)| what.as_str());
        examples.collect::<Vec<_>>().join("\n")
    }

    fn note(&mut self, outcome: Result<(), String>) {
        let now = Instant::now();
        match outcome {
            Ok(()) => {
                let gap = self.last_served.map_or(Duration::ZERO, |last| now - last);
                self.longest_gap = self.longest_gap.max(gap);
                self.last_served = Some(now);
                self.served += 1;
            }
            Err(failure) => self.failures.push((now, failure)),
        }
    }
}

impl Visitors {
    /// `workers` of them ask for `host`, through a balancer in front of `routers`.
    pub fn start(routers: &[SocketAddr], host: &str, workers: usize) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let balancer = Arc::new(Balancer::new(routers));
        let checks = (0..routers.len()).map(|index| {
            let (stop, balancer) = (Arc::clone(&stop), Arc::clone(&balancer));
            std::thread::spawn(move || balancer.check(index, &stop))
        });
        let workers = (0..workers).map(|index| {
            let (stop, balancer, seen) = (Arc::clone(&stop), Arc::clone(&balancer), Arc::clone(&seen));
            let host = host.to_owned();
            std::thread::spawn(move || visit(&balancer, &host, index.is_multiple_of(2), &stop, &seen))
        });
        let threads = checks.chain(workers).collect();
        Self { stop, seen, threads }
    }

    /// What they saw since they were asked last.
    pub fn take(&self) -> Seen {
        let mut seen = self.seen.lock().expect("no visitor panics while it notes");
        let last_served = seen.last_served;
        let mut taken = std::mem::replace(&mut *seen, Seen { last_served, ..Seen::default() });
        // A gap that has not ended yet counts as long as it is.
        if let Some(last) = last_served {
            taken.longest_gap = taken.longest_gap.max(last.elapsed());
        }
        taken
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Routers in turn, those that do not answer left out.
struct Balancer {
    routers: Vec<(SocketAddr, AtomicBool)>,
    next: AtomicUsize,
}

impl Balancer {
    fn new(routers: &[SocketAddr]) -> Self {
        let routers = routers.iter().map(|address| (*address, AtomicBool::new(true))).collect();
        Self { routers, next: AtomicUsize::new(0) }
    }

    /// Asks one router again and again whether it is well.
    fn check(&self, index: usize, stop: &AtomicBool) {
        let client = client(false, CONNECT_TIMEOUT);
        let (address, is_well) = &self.routers[index];
        let url = format!("http://{}/health-check", SocketAddr::new(address.ip(), HEALTH_PORT));
        while !stop.load(Ordering::Relaxed) {
            let well = client.get(&url).send().is_ok_and(|answer| answer.status().is_success());
            is_well.store(well, Ordering::Relaxed);
            std::thread::sleep(CHECK_PERIOD);
        }
    }

    /// All routers in the order in which to try them: the well ones in turn, then the others.
    fn order(&self) -> Vec<SocketAddr> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.routers.len();
        let turned = (0..count).map(|offset| &self.routers[(start + offset) % count]);
        let (well, ill): (Vec<_>, Vec<_>) = turned.partition(|(_, well)| well.load(Ordering::Relaxed));
        well.into_iter().chain(ill).map(|(address, _)| *address).collect()
    }
}

fn visit(balancer: &Balancer, host: &str, keeps: bool, stop: &AtomicBool, seen: &Mutex<Seen>) {
    let client = client(keeps, ANSWER_TIMEOUT);
    while !stop.load(Ordering::Relaxed) {
        let outcome = request(&client, balancer, host);
        seen.lock().expect("no visitor panics while it notes").note(outcome);
        std::thread::sleep(PERIOD);
    }
}

fn client(keeps: bool, timeout: Duration) -> reqwest::blocking::Client {
    let idle = if keeps { 8 } else { 0 };
    let builder = reqwest::blocking::Client::builder().no_proxy().pool_max_idle_per_host(idle);
    let builder = builder.connect_timeout(CONNECT_TIMEOUT).timeout(timeout);
    builder.build().expect("a plain client always builds")
}

/// One request; where no connection can be made, nothing was asked, and the next router is.
fn request(client: &reqwest::blocking::Client, balancer: &Balancer, host: &str) -> Result<(), String> {
    let mut failure = String::new();
    for router in balancer.order() {
        match client.get(format!("http://{router}/")).header("Host", host).send() {
            Ok(answer) if answer.status() == 200 => {
                return answer.bytes().map(drop).map_err(|error| format!("{error:?}"));
            }
            Ok(answer) => {
                let status = answer.status();
                let body: String = answer.text().unwrap_or_default().chars().take(200).collect();
                return Err(format!("{router}: {status}: {body}"));
            }
            Err(error) if error.is_connect() => failure = format!("{router}: {error:?}"),
            Err(error) => return Err(format!("{router}: {error:?}")),
        }
    }
    Err(failure)
}
