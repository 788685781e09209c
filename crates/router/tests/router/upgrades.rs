//! One router taking the place of another while visitors keep coming.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use deis_router::{Addresses, Config};
use deis_runtime::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{App, Controller, config, start, until};

/// Visitors at a time, each on a new connection for every request.
const VISITORS: usize = 16;

/// How often the router is replaced.
const UPGRADES: usize = 20;

/// How many requests each router answers at least before it is replaced.
const REQUESTS: usize = 100;

/// Visitors who come as fast as they can.
struct Crowd {
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    visitors: JoinSet<Result<(), String>>,
}

impl Crowd {
    fn start(address: SocketAddr) -> Self {
        let (answered, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut visitors = JoinSet::new();
        for _ in 0..VISITORS {
            let (answered, is_over) = (Arc::clone(&answered), Arc::clone(&is_over));
            visitors.spawn(async move {
                while !is_over.load(SeqCst) {
                    visit(address).await.map_err(|error| error.to_string())?;
                    answered.fetch_add(1, SeqCst);
                }
                Ok(())
            });
        }
        Self { answered, is_over, visitors }
    }

    /// Waits until that many more have been answered, or one has not.
    async fn come(&self, more: usize) {
        let target = self.answered.load(SeqCst) + more;
        until(|| self.answered.load(SeqCst) >= target || self.visitors.len() < VISITORS).await;
    }

    async fn end(mut self) -> usize {
        self.is_over.store(true, SeqCst);
        while let Some(ended) = self.visitors.join_next().await {
            ended.expect("visitors do not panic").expect("every request is answered");
        }
        self.answered.load(SeqCst)
    }
}

async fn visit(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    match answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"blog") {
        true => Ok(()),
        false => Err(std::io::Error::other(format!("answered {:?}", answer.escape_ascii().to_string()))),
    }
}

/// A router that is to be replaced.
struct Current {
    shutdown: Shutdown,
    running: JoinHandle<()>,
}

fn start_at(addresses: Option<Addresses>, state: &Path, controller: SocketAddr) -> (Addresses, Current) {
    let mut config: Config = config(state, controller);
    if let Some(addresses) = addresses {
        (config.http, config.git, config.health) = (addresses.http, addresses.git, addresses.health);
    }
    let (addresses, _, shutdown, running) = start(config);
    (addresses, Current { shutdown, running })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routers_take_each_others_place_without_a_failed_connection() {
    let (controller, app) = (Controller::start().await, App::start("blog").await);
    let generation = controller.route("blog", 1, &[app.address()]);
    let state = tempfile::tempdir().unwrap();
    let (addresses, mut current) = start_at(None, state.path(), controller.address());
    controller.applied(generation).await;
    let crowd = Crowd::start(addresses.http);
    crowd.come(REQUESTS).await;
    for _ in 0..UPGRADES {
        let asked = controller.requests().len();
        let (_, next) = start_at(Some(addresses), state.path(), controller.address());
        until(|| controller.requests()[asked..].iter().any(|request| request.applied == generation)).await;
        let last = std::mem::replace(&mut current, next);
        crowd.come(REQUESTS / 2).await;
        last.shutdown.cancel();
        last.running.await.unwrap();
        crowd.come(REQUESTS / 2).await;
    }
    let answered = crowd.end().await;
    assert!(answered >= UPGRADES * REQUESTS, "{answered}");
    current.shutdown.cancel();
    current.running.await.unwrap();
}
