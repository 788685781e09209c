//! The publisher on engines.

use deis_agent::publisher::{Config, Publisher};
use deis_api::client::InternalClient;
use deis_runtime::{Role, Shutdown, StatusBoard};
use tokio::task::JoinHandle;

use crate::host::Host;
use crate::platform::Platform;

/// An app that serves after a moment.
const SERVER: &str = "busybox sleep 0.3; exec busybox httpd -f -p 5000 -h /";

struct Running {
    board: StatusBoard,
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

fn start(host: &Host, controller: &InternalClient) -> Running {
    let board = StatusBoard::new(Role::Publisher);
    let config =
        Config { host: "one".to_owned(), engine: host.engine.clone(), controller: controller.clone() };
    let shutdown = Shutdown::new();
    let task = tokio::spawn(Publisher::open(config, board.clone()).run(shutdown.clone()));
    Running { board, shutdown, task }
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic").expect("no failure");
    }
}

#[tokio::test]
async fn unreachable_containers_are_reported_with_the_reason_and_leave_when_removed() {
    let (host, (platform, controller)) = (Host::memory().await, Platform::start().await);
    let publisher = start(&host, &controller);
    platform.until_reported(&[]).await;
    let web = host.workload("web", 2, "");
    host.apply(&web).await;
    host.apply(&host.workload("worker", 1, "")).await;
    platform.until_reported(&["web.1-", "web.2-"]).await;
    host.remove(&web).await;
    platform.until_reported(&[]).await;
    publisher.stop().await;
}

#[tokio::test]
async fn a_controller_that_was_away_gets_the_report_when_it_is_back() {
    let (host, (platform, controller)) = (Host::memory().await, Platform::start().await);
    platform.set_away(true);
    let publisher = start(&host, &controller);
    host.apply(&host.workload("web", 1, "")).await;
    platform.until(|_| !publisher.board.snapshot().problems.is_empty()).await;
    assert_eq!(platform.reports().len(), 0);
    platform.set_away(false);
    platform.until_reported(&["web.1-"]).await;
    platform.until(|_| publisher.board.snapshot().problems.is_empty()).await;
    publisher.stop().await;
}

#[tokio::test]
async fn a_report_without_news_is_only_renewed_unless_the_controller_knows_nothing_of_it() {
    let (host, (platform, controller)) = (Host::memory().await, Platform::start().await);
    let publisher = start(&host, &controller);
    host.apply(&host.workload("web", 1, "")).await;
    platform.until_reported(&["web.1-"]).await;
    let before = platform.reports().len();
    platform.until(|platform| platform.renewals() > 0).await;
    assert_eq!(platform.reports().len(), before);
    platform.forget_reports();
    platform.until_reported(&["web.1-"]).await;
    publisher.stop().await;
}

#[tokio::test]
async fn containers_are_reported_ready_once_they_serve_and_leave_when_they_die() {
    let Some(host) = Host::docker().await else { return };
    let (platform, controller) = Platform::start().await;
    let publisher = start(&host, &controller);
    let web = host.workload("web", 2, SERVER);
    host.apply(&web).await;
    platform.until_reported(&["web.1+", "web.2+"]).await;
    assert!(
        platform.reports().iter().any(|report| report.iter().any(|one| one.ends_with('-'))),
        "it had to boot"
    );
    publisher.stop().await;
    let before = platform.reports().len();
    let publisher = start(&host, &controller);
    platform.until(|platform| platform.reports().len() > before).await;
    let again = &platform.reports()[before..];
    assert!(
        again.iter().all(|report| report == &["web.1+", "web.2+"]),
        "a restart withdraws nothing: {again:?}"
    );
    host.remove(&web).await;
    platform.until_reported(&[]).await;
    publisher.stop().await;
}
