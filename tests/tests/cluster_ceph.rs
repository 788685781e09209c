//! A platform whose store is a real Ceph cluster: a part of that is lost while developers push.

use std::time::Duration;

use deis_tests::{Cluster, Database, Ledger, Plan, Site, Store, has_lab, has_time};

/// How long developers may have to wait for what they want done.
const SERVED: Duration = Duration::from_secs(300);

#[test]
fn pushes_are_acknowledged_and_kept_while_a_part_of_the_store_is_lost() {
    if !has_lab() || !has_time() {
        return;
    }
    let plan = Plan { store: Store::Ceph, database: Database::External, ..Plan::default() };
    let cluster = Cluster::start(&plan);
    let ledger = Ledger::start(&cluster, cluster.lab().machine());
    await_pushes(&cluster, &ledger, 1);
    cluster.backends().ceph().kill_osd(0);
    await_pushes(&cluster, &ledger, 2);
    cluster.backends().ceph().start_osd(0);
    cluster.backends().ceph().wait_until_healed();
    move_builder(&cluster);
    await_pushes(&cluster, &ledger, 1);
    let done = ledger.check(&cluster);
    let (pushes, config, jobs) = (done.pushes.len(), done.config.len(), done.jobs.len());
    println!("Acknowledged and there: {pushes} pushes, {config} settings, {jobs} jobs.");
    done.refused.iter().for_each(|said| println!("refused: {}", said.trim()));
}

/// Waits until so many more pushes were acknowledged.
fn await_pushes(cluster: &Cluster, ledger: &Ledger, more: usize) {
    let wanted = ledger.done().pushes.len() + more;
    cluster.eventually("pushes are acknowledged", SERVED, |_| ledger.done().pushes.len() >= wanted);
}

/// Has the builder start on another host, which finds the repositories nowhere but in the store.
fn move_builder(cluster: &Cluster) {
    let builder = || cluster.deisctl(&["status", "builder", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&builder()).expect("status is JSON");
    let host = status["units"][0]["host"].as_str().expect("the builder is on a host").to_owned();
    cluster.deisctl(&["drain", &host]).succeeded();
    cluster.eventually("the builder is elsewhere", SERVED, |cluster| {
        let said = cluster.deisctl(&["status", "builder", "--json"]);
        said.code == 0 && !said.stdout.contains(&format!("\"host\": \"{host}\""))
    });
}
