//! Pushes and pulls without end, and what of them was acknowledged.

use crate::registry::{Client, noise};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// How many push at once, spread over the registries.
const PUSHERS: u64 = 4;
/// How long a number of pushes may take to be acknowledged.
const TIMEOUT: Duration = Duration::from_secs(240);

/// An image that was acknowledged: its tag, the seed of its layer and that one's length.
type Image = (String, u64, usize);

/// A load under way.
pub(crate) struct Load {
    images: Arc<Mutex<Vec<Image>>>,
    ending: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins to push to, to pull from and to collect garbage at these registries.
    pub(crate) fn start(clients: [Client; 2]) -> Self {
        let mut load = Self { images: Arc::default(), ending: Arc::default(), tasks: Vec::new() };
        for pusher in 0..PUSHERS {
            let pairs = [clients[pusher as usize % 2].clone(), clients[(pusher as usize + 1) % 2].clone()];
            let (images, ending) = (load.images.clone(), load.ending.clone());
            load.tasks.push(tokio::spawn(push(pusher, pairs, images, ending)));
        }
        let (collector, ending) = (clients[1].clone(), load.ending.clone());
        load.tasks.push(tokio::spawn(async move {
            while !ending.load(Ordering::Relaxed) {
                // It may fail while parts of the cluster do. What it removed would be missed later.
                let _ = collector.collect("load", &[]).await;
            }
        }));
        load
    }

    /// Waits until `more` images have been acknowledged.
    pub(crate) fn wait_for(&self, more: usize) {
        let (begun, deadline) = (self.acknowledged(), Instant::now() + TIMEOUT);
        while self.acknowledged() < begun + more {
            assert!(Instant::now() < deadline, "no {more} pushes in {TIMEOUT:?}");
            assert!(self.tasks.iter().all(|task| !task.is_finished()), "a pull found other bytes");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the load, and gives what was acknowledged.
    pub(crate) async fn end(self) -> Vec<Image> {
        self.ending.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.images.lock().unwrap().clone()
    }

    fn acknowledged(&self) -> usize {
        self.images.lock().unwrap().len()
    }
}

async fn push(pusher: u64, clients: [Client; 2], images: Arc<Mutex<Vec<Image>>>, ending: Arc<AtomicBool>) {
    for number in 0.. {
        if ending.load(Ordering::Relaxed) {
            return;
        }
        let (tag, seed) = (format!("v{pusher}-{number}"), pusher << 32 | number);
        // Mostly small, now and then one that is sent in parts.
        let length = if number % 8 == 7 { 9 << 20 } else { 100_000 };
        let layer = noise(seed, length);
        // What fails is not acknowledged, and so not counted.
        if clients[0].push_image("load", &tag, &layer).await.is_ok() {
            images.lock().unwrap().push((tag.clone(), seed, length));
            let _ = clients[1].check_image("load", &tag, &layer).await;
        }
    }
}

/// Reads all of them back.
pub(crate) async fn check(client: &Client, images: &[Image]) {
    for (tag, seed, length) in images {
        client.check_image("load", tag, &noise(*seed, *length)).await.unwrap();
    }
}
