//! Several controllers on PostgreSQL, which they lose and get back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deis_test_postgres::Server;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::fleet::{Caller, Fleet};

/// How long the database is away: much longer than the lease of the leader.
const AWAY: Duration = Duration::from_secs(20);
/// How long between two changes.
const PACE: Duration = Duration::from_millis(50);

const CONFIG: &str = "/v1/apps/blog/config";

/// Changes the app's config through each of several controllers in turn, and notes what they acknowledge.
struct Writer {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    /// Refusals, and what they said.
    refused: Arc<Mutex<Vec<(u16, String)>>>,
    ends: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Writer {
    fn start(callers: Vec<Caller>) -> Self {
        let (acknowledged, refused, ends) =
            <(Arc<Mutex<BTreeSet<_>>>, Arc<Mutex<Vec<_>>>, Arc<AtomicBool>)>::default();
        let (noted, noted_refused, asked) =
            (Arc::clone(&acknowledged), Arc::clone(&refused), Arc::clone(&ends));
        let task = tokio::spawn(async move {
            for (number, caller) in (0..).zip(callers.iter().cycle()) {
                let (key, value) = (format!("KEY_{number}"), "set");
                match caller.post(CONFIG, &json!({"values": {&key: value}})).await {
                    Some(answer) if answer.status == 201 => drop(noted.lock().unwrap().insert(key)),
                    Some(answer) => noted_refused.lock().unwrap().push((answer.status.as_u16(), answer.body)),
                    None => {}
                }
                if asked.load(Ordering::SeqCst) {
                    return;
                }
                tokio::time::sleep(PACE).await;
            }
        });
        Self { acknowledged, refused, ends, task }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// What was acknowledged, and what was refused.
    async fn end(self) -> (BTreeSet<String>, Vec<(u16, String)>) {
        self.ends.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        (
            std::mem::take(&mut self.acknowledged.lock().unwrap()),
            std::mem::take(&mut self.refused.lock().unwrap()),
        )
    }
}

/// The controllers show every change that they acknowledged, and releases without gaps.
async fn check_ledger(fleet: &Fleet, controller: usize, acknowledged: &BTreeSet<String>) {
    let config = fleet.read(controller, CONFIG).await;
    let kept: BTreeSet<String> = config["values"].as_object().unwrap().keys().cloned().collect();
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "{lost:?} were acknowledged and are gone");
    let releases = fleet.read(controller, "/v1/apps/blog/releases/?page_size=10000").await;
    let versions: BTreeSet<u64> = numbers(&releases["results"]).collect();
    let newest = *versions.last().unwrap();
    assert_eq!(versions, (1..=newest).collect(), "no number is left out or used twice");
    assert_eq!(releases["count"], newest);
}

/// Whether both containers that are wanted get traffic, and run.
fn serves_with_two(fleet: &Fleet) -> bool {
    let (routed, names) = (fleet.routed(), fleet.names());
    routed.len() == 2 && routed.iter().all(|container| names.contains(container))
}

fn numbers(releases: &Value) -> impl Iterator<Item = u64> {
    releases.as_array().unwrap().iter().map(|release| release["version"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_leaders_die_on_postgresql() {
    let Some(server) = Server::start().await else { return };
    let mut fleet = Fleet::on(&server.database().await, 3).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    fleet.push(follower, "good").await;
    fleet.check(follower, "/v1/apps/blog/scale", &json!({"web": 2}), 204, "").await;
    let writer = Writer::start(fleet.callers());
    fleet.until("changes are acknowledged", || writer.count() >= 5).await;
    fleet.kill(leader);
    let before = writer.count();
    fleet.until("changes go on under the next leader", || writer.count() >= before + 5).await;
    let (acknowledged, _) = writer.end().await;
    let (leader, follower) = fleet.leader_and_follower().await;
    let pushing = fleet.pushing(follower, "slow");
    fleet.until("the leader pulls the image", || fleet.engine.pulls(leader) > 0).await;
    fleet.kill(leader);
    fleet.engine.has_pulled();
    let answer = pushing.await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    check_ledger(&fleet, follower, &acknowledged).await;
    fleet.until("older releases have gone", || serves_with_two(&fleet) && fleet.names().len() == 2).await;
    assert!(fleet.router_lost().is_empty(), "{:?} lost all endpoints", fleet.router_lost());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_stay_while_postgresql_is_away_and_changes_go_on_afterwards() {
    let Some(mut server) = Server::start().await else { return };
    let fleet = Fleet::on(&server.database().await, 2).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    fleet.push(follower, "good").await;
    fleet.check(leader, "/v1/apps/blog/scale", &json!({"web": 2}), 204, "").await;
    let writer = Writer::start(fleet.callers());
    fleet.until("changes are acknowledged", || writer.count() >= 5).await;
    server.stop();
    tokio::time::sleep(AWAY).await;
    assert!(serves_with_two(&fleet), "{:?} of {:?}", fleet.routed(), fleet.names());
    let before = writer.count();
    server.run_again().await;
    fleet.until("changes go on", || writer.count() >= before + 5).await;
    let (acknowledged, refused) = writer.end().await;
    assert!(refused.iter().all(|(status, _)| [409, 503].contains(status)), "{refused:?}");
    let (leader, follower) = fleet.leader_and_follower().await;
    fleet.push(follower, "good").await;
    for controller in [leader, follower] {
        check_ledger(&fleet, controller, &acknowledged).await;
    }
    fleet.until("older releases have gone", || serves_with_two(&fleet) && fleet.names().len() == 2).await;
    assert!(fleet.router_lost().is_empty(), "{:?} lost all endpoints", fleet.router_lost());
}
