//! Logspout on engines.

use std::path::Path;
use std::time::Duration;

use deis_agent::logspout::{Config, Logspout};
use deis_api::client::InternalClient;
use deis_runtime::{Role, Shutdown, StatusBoard};
use tokio::task::JoinHandle;

use crate::host::Host;
use crate::platform::Platform;

struct Running {
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

fn start(host: &Host, logger: &InternalClient, spool: &Path) -> Running {
    let config = Config { engine: host.engine.clone(), logger: logger.clone(), spool: spool.to_owned() };
    let logspout = Logspout::open(config, StatusBoard::new(Role::Logspout)).expect("open");
    let shutdown = Shutdown::new();
    let task = tokio::spawn(logspout.run(shutdown.clone()));
    Running { shutdown, task }
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic").expect("no failure");
    }
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn each_container_s_line_is_shipped_once_also_across_a_restart() {
    let (host, (platform, logger)) = (Host::memory().await, Platform::start().await);
    let spool = tempfile::tempdir().expect("temporary directory");
    let logspout = start(&host, &logger, spool.path());
    host.apply(&host.workload("web", 2, "")).await;
    platform.until_printed("web.2", 1).await;
    logspout.stop().await;
    let logspout = start(&host, &logger, spool.path());
    host.apply(&host.workload("worker", 1, "")).await;
    platform.until_printed("worker.1", 1).await;
    assert_eq!(platform.texts("web.1"), ["web.1 is up"]);
    logspout.stop().await;
}

#[tokio::test]
async fn no_line_is_lost_or_doubled_when_logspout_or_the_logger_is_away() {
    let Some(host) = Host::docker().await else { return };
    let (platform, logger) = Platform::start().await;
    let spool = tempfile::tempdir().expect("temporary directory");
    let logspout = start(&host, &logger, spool.path());
    let script = "for i in $(busybox seq 300); do echo $i; busybox usleep 10000; done; sleep 600";
    let worker = host.workload("worker", 1, script);
    host.apply(&worker).await;
    platform.until_printed("worker.1", 20).await;
    logspout.stop().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let logspout = start(&host, &logger, spool.path());
    platform.until_printed("worker.1", 100).await;
    platform.set_away(true);
    tokio::time::sleep(Duration::from_millis(700)).await;
    platform.set_away(false);
    platform.until_printed("worker.1", 300).await;
    assert_eq!(platform.texts("worker.1"), numbers(1..=300));
    logspout.stop().await;
    host.remove(&worker).await;
}

#[tokio::test]
async fn output_is_read_across_crashes_and_very_long_lines() {
    let Some(host) = Host::docker().await else { return };
    let (platform, logger) = Platform::start().await;
    let spool = tempfile::tempdir().expect("temporary directory");
    let logspout = start(&host, &logger, spool.path());
    let script = "busybox head -c 1000000 /dev/zero | busybox tr '\\0' x; echo; echo bye; exit 1";
    let worker = host.workload("worker", 1, script);
    host.apply(&worker).await;
    let byes = |platform: &Platform| platform.texts("worker.1").iter().filter(|text| *text == "bye").count();
    platform.until(|platform| byes(platform) >= 3).await;
    let texts = platform.texts("worker.1");
    assert!(texts[0].len() <= 60_000 && texts[0].ends_with("x..."), "{} bytes", texts[0].len());
    assert!(texts.iter().step_by(2).all(|text| *text == texts[0]), "each is one record");
    let seen = host.engine.scheduler.observe(None).await.expect("observe").remove(0);
    assert!(byes(&platform) <= seen.restarts as usize + 1, "nothing is doubled");
    logspout.stop().await;
    host.remove(&worker).await;
}

#[tokio::test]
async fn a_long_line_is_one_record_also_across_restarts() {
    let Some(host) = Host::docker().await else { return };
    let (platform, logger) = Platform::start().await;
    let spool = tempfile::tempdir().expect("temporary directory");
    let logspout = start(&host, &logger, spool.path());
    let print = |count: u32| format!("busybox head -c {count} /dev/zero | busybox tr '\\0' x; echo");
    let long = format!("{{ echo before; {}; {}; echo after; }}", print(40_000), print(65_536));
    let script = format!("{long}; sleep 1; {long}; printf end; sleep 600");
    let worker = host.workload("worker", 1, &script);
    host.apply(&worker).await;
    platform.until_printed("worker.1", 3).await;
    logspout.stop().await;
    let logspout = start(&host, &logger, spool.path());
    platform.until_printed("worker.1", 8).await;
    let shown = |text: &String| match text.strip_prefix('x') {
        Some(_) => format!("{}{}", text.len(), if text.ends_with("x...") { " cut" } else { "" }),
        None => text.clone(),
    };
    let texts: Vec<String> = platform.texts("worker.1").iter().map(shown).collect();
    let once = ["before", "40000", "60000 cut", "after"];
    assert_eq!(texts, [once, once].concat());
    logspout.stop().await;
    host.remove(&worker).await;
}

#[tokio::test]
async fn short_jobs_are_heard() {
    let Some(host) = Host::docker().await else { return };
    let (platform, logger) = Platform::start().await;
    let spool = tempfile::tempdir().expect("temporary directory");
    let logspout = start(&host, &logger, spool.path());
    for number in 1..=10 {
        host.run(number, "echo hello").await;
    }
    for number in 1..=10 {
        platform.until_printed(&format!("run.{number}"), 1).await;
        assert_eq!(platform.texts(&format!("run.{number}")), ["hello"]);
    }
    logspout.stop().await;
    host.clean().await;
}
