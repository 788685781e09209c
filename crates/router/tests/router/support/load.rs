//! Visitors who ask without pause, so that a change which drops a request is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::{Client, Scene};

/// Clients that ask without pause, some on kept connections and some with bodies, until told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// `clients` of them, each asking `apps` in turn.
    pub(crate) fn start(scene: &Scene, clients: usize, apps: &[&str]) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let ask = |number: usize| {
            let (stop, answered, address) = (Arc::clone(&stop), Arc::clone(&answered), scene.addresses.http);
            let mut apps = apps.iter().map(ToString::to_string).collect::<Vec<_>>().into_iter().cycle();
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                while !stop.load(SeqCst) {
                    if number.is_multiple_of(3) {
                        client = Client::connect(address).await;
                    }
                    let app = apps.next().expect("there are apps");
                    client.send(&request(&app, number.is_multiple_of(2))).await;
                    let answer = client.answer().await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, SeqCst);
                }
            })
        };
        let clients = (0..clients).map(ask).collect();
        Self { stop, answered, clients }
    }

    /// Waits until `count` more requests have been answered.
    pub(crate) async fn more(&self, count: usize) {
        let goal = self.answered.load(SeqCst) + count;
        super::until(|| {
            self.answered.load(SeqCst) >= goal
                || self.clients.iter().any(tokio::task::JoinHandle::is_finished)
        })
        .await;
    }

    /// Fails if any request did.
    pub(crate) async fn end(self) {
        self.stop.store(true, SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

fn request(app: &str, has_body: bool) -> String {
    let (line, rest) = match has_body {
        true => ("POST /sink", "Content-Length: 5\r\n\r\nhello"),
        false => ("GET /", "\r\n"),
    };
    format!("{line} HTTP/1.1\r\nHost: {app}.example.com\r\n{rest}")
}
