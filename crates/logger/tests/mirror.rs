//! Loggers of several hosts, one at a time, over one store.

use std::path::Path;
use std::sync::Arc;

use deis_api::client::InternalClient;
use deis_api::internal::{LogBatch, LogRecord};
use deis_logger::{Config, Logger};
use deis_runtime::{Role, Shutdown, StatusBoard};
use deis_store::{MemoryStore, ObjectStore};
use futures::StreamExt;
use reqwest::Method;
use tokio::task::JoinHandle;

const KEY: &str = "a key";

/// A logger of one host.
struct Running {
    client: InternalClient,
    shutdown: Shutdown,
    served: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(host: &Path, store: &Arc<MemoryStore>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::new(host.to_owned(), KEY);
        config.listen.set_port(0);
        config.mirror = Some(store.clone());
        let logger = Logger::bind(config, StatusBoard::new(Role::Logger)).await.expect("port 0 serves");
        let client = InternalClient::new(&format!("http://{}", logger.local_addr()), KEY);
        let shutdown = Shutdown::new();
        Self { client, served: tokio::spawn(logger.run(shutdown.clone())), shutdown }
    }

    async fn ship(&self, app: &str, texts: &[&str]) {
        let record = |text: &&str| LogRecord {
            app: app.into(),
            source: "web.1".into(),
            timestamp: 1,
            text: (*text).into(),
        };
        self.client
            .ship_logs(&LogBatch { records: texts.iter().map(record).collect() })
            .await
            .expect("stored");
    }

    async fn texts(&self, app: &str) -> Vec<String> {
        let request = self.client.request(Method::GET, &format!("/{app}?log_lines=1000"));
        let body = self.client.send(request).await.expect("readable").text().await.expect("text");
        body.lines().map(|line| line.split_once(": ").expect("lines have a source").1.to_owned()).collect()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.expect("no panic").expect("a clean end");
    }

    /// Ends without a last word to the store.
    async fn lose_power(self) {
        self.served.abort();
        let _ = self.served.await;
    }
}

#[tokio::test]
async fn a_logger_on_another_host_goes_on_with_everything() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(MemoryStore::default());
    let first = Running::start(one.path(), &store).await;
    first.ship("blog", &["a", "b"]).await;
    first.ship("shop", &["x"]).await;
    first.stop().await;
    let second = Running::start(two.path(), &store).await;
    second.ship("blog", &["c"]).await;
    assert_eq!(second.texts("blog").await, ["a", "b", "c"]);
    assert_eq!(second.texts("shop").await, ["x"]);
    second.stop().await;
    let back = Running::start(one.path(), &store).await;
    back.ship("blog", &["d"]).await;
    assert_eq!(back.texts("blog").await, ["a", "b", "c", "d"]);
    back.stop().await;
}

#[tokio::test]
async fn lines_that_only_a_lost_host_has_come_back_with_it() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(MemoryStore::default());
    let first = Running::start(one.path(), &store).await;
    first.ship("blog", &["only here"]).await;
    first.lose_power().await;
    let second = Running::start(two.path(), &store).await;
    second.ship("blog", &["elsewhere"]).await;
    second.stop().await;
    let back = Running::start(one.path(), &store).await;
    let mut texts = back.texts("blog").await;
    texts.sort();
    assert_eq!(texts, ["elsewhere", "only here"]);
    back.stop().await;
}

#[tokio::test]
async fn a_removed_log_leaves_the_store() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(MemoryStore::default());
    let logger = Running::start(one.path(), &store).await;
    logger.ship("blog", &["a"]).await;
    logger.stop().await;
    assert_eq!(store.list("logs/blog/", None).count().await, 1);
    let logger = Running::start(two.path(), &store).await;
    logger.client.send(logger.client.request(Method::DELETE, "/blog")).await.unwrap();
    logger.stop().await;
    assert_eq!(store.list("logs/", None).count().await, 0);
}
