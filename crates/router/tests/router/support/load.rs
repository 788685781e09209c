//! Visitors who ask without pause, so that a change which drops a request is noticed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::Client;

/// Clients that ask without pause, some on kept connections and some with bodies, until told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// How many requests for each app have been answered.
    answered: Arc<[AtomicUsize]>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// `clients` of them, each asking the router at `address` for `apps` in turn; they begin at different ones.
    pub(crate) fn start(address: SocketAddr, clients: usize, apps: &[&str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered: Arc<[AtomicUsize]> = apps.iter().map(|_| AtomicUsize::default()).collect();
        let ask = |number: usize| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let apps: Vec<_> = apps.iter().map(ToString::to_string).enumerate().collect();
            let mut apps = apps.into_iter().cycle().skip(number * answered.len() / clients);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                while !stop.load(SeqCst) {
                    if number.is_multiple_of(3) {
                        client = Client::connect(address).await;
                    }
                    let (place, app) = apps.next().expect("there are apps");
                    client.send(&request(&app, number.is_multiple_of(2))).await;
                    let answer = client.answer().await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered[place].fetch_add(1, SeqCst);
                }
            })
        };
        let clients = (0..clients).map(ask).collect();
        Self { stop, answered, clients }
    }

    /// Waits until `count` more requests have been answered.
    pub(crate) async fn more(&self, count: usize) {
        let all = || self.answered.iter().map(|answered| answered.load(SeqCst)).sum::<usize>();
        let goal = all() + count;
        super::until(|| all() >= goal || self.has_failed()).await;
    }

    /// Waits until every app has been asked for, and has answered, twice more: so once from its beginning.
    pub(crate) async fn all(&self) {
        let before: Vec<_> = self.answered.iter().map(|answered| answered.load(SeqCst)).collect();
        let each = self.answered.iter().zip(&before);
        super::until(|| {
            each.clone().all(|(now, before)| now.load(SeqCst) >= before + 2) || self.has_failed()
        })
        .await;
    }

    fn has_failed(&self) -> bool {
        self.clients.iter().any(tokio::task::JoinHandle::is_finished)
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
