//! Faults under load: hosts, roles, database, store and engines are lost, and nothing that was acknowledged is.

use std::time::{Duration, Instant};

use deis_tests::{Cluster, Database, Done, Host, Ledger, Plan, Seen, Site, Visitors, has_lab, has_time};

/// How long a fault lasts that ends by itself or is ended.
const LASTS: Duration = Duration::from_secs(60);
/// How long visitors and developers may have to wait until all is as before.
const RECOVERS: Duration = Duration::from_secs(300);
/// How long visitors are watched after all is well again.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Roles, as units are named, with a container on every host.
const SPREAD_ROLES: [&str; 5] = ["router", "controller", "registry", "publisher", "logspout"];
/// Roles of which there is one container.
const SINGLE_ROLES: [&str; 2] = ["builder", "logger"];
/// What figures there are per fault.
const TABLE: &str = "\
| fault | two containers: served | failed | failing for | longest wait | one container: failed | longest wait | acknowledged | refused | all well after |
|---|---|---|---|---|---|---|---|---|---|";

/// A cluster at work: two apps with visitors, and developers.
struct Scene {
    cluster: Cluster,
    two: Visitors,
    one: Visitors,
    ledger: Ledger,
    rows: Vec<String>,
}

impl Scene {
    fn start(database: Database) -> Self {
        let cluster = Cluster::start(&Plan { database, ..Plan::default() });
        let user = cluster.user("ann");
        let two = user.create_app("two", "worker-python");
        two.push().succeeded();
        user.deis_in(two.path(), &["ps:scale", "web=2"]).succeeded();
        user.create_app("one", "worker-python").push().succeeded();
        let visitors = |app: &str| Visitors::start(&cluster.routers(), &cluster.name_of(app), 4);
        let (two, one) = (visitors("two"), visitors("one"));
        let ledger = Ledger::start(&cluster, cluster.lab().machine());
        Self { two, one, ledger, cluster, rows: Vec::new() }
    }

    /// Has a fault begin and end, waits until all is well, and notes what was seen meanwhile.
    fn suffer(&mut self, name: &str, fault: impl FnOnce(&Cluster)) {
        eprintln!("fault: {name}");
        let before = self.ledger.done();
        drop((self.two.take(), self.one.take()));
        let begun = Instant::now();
        fault(&self.cluster);
        self.await_well();
        let well = begun.elapsed();
        std::thread::sleep(AFTERMATH);
        let after = self.ledger.done();
        after
            .refused
            .iter()
            .skip(before.refused.len())
            .for_each(|said| eprintln!("refused: {}", said.trim()));
        let row = row(name, &self.two.take(), &self.one.take(), &before, &after, well);
        eprintln!("{row}");
        self.rows.push(row);
    }

    /// What to say of a host beside its number: whether it leads the Swarm, and so chooses where containers go.
    fn role_of(&self, number: usize) -> &'static str {
        let ask = ["node", "inspect", "--format", "{{.ManagerStatus.Leader}}", "self"];
        let leads = self.cluster.lab().host(number).docker(&ask).succeeded().stdout;
        if leads.trim() == "true" { ", the leader," } else { "" }
    }

    /// Waits until every role is well, visitors are served, and a developer has had a command of each kind acknowledged.
    fn await_well(&self) {
        self.cluster
            .eventually("every role is well", RECOVERS, |cluster| cluster.deisctl(&["status"]).code == 0);
        for app in ["one", "two"] {
            self.cluster.eventually("visitors are served", RECOVERS, |cluster| {
                cluster.get(&cluster.name_of(app), "/").0 == 200
            });
        }
        let before = self.ledger.done();
        self.cluster.eventually("developers are served", RECOVERS, |_| {
            let done = self.ledger.done();
            done.config.len() > before.config.len()
                && done.pushes.len() > before.pushes.len()
                && done.jobs.len() > before.jobs.len()
        });
    }

    /// Ends the work, compares, and prints the table.
    fn end(self) {
        let Self { cluster, two, one, ledger, rows } = self;
        drop((two, one));
        let done = ledger.check(&cluster);
        println!("{TABLE}\n{}", rows.join("\n"));
        let (config, pushes, jobs) = (done.config.len(), done.pushes.len(), done.jobs.len());
        println!("\nAcknowledged and there: {config} settings, {pushes} pushes, {jobs} jobs, each run once.");
    }
}

fn row(name: &str, two: &Seen, one: &Seen, before: &Done, after: &Done, well: Duration) -> String {
    for (app, seen) in [("two", two), ("one", one)] {
        eprintln!("{app}: {}", seen.examples());
    }
    let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    let cells = [
        name.to_owned(),
        two.served.to_string(),
        two.failures.len().to_string(),
        seconds(two.failing_for()),
        seconds(two.longest_gap),
        one.failures.len().to_string(),
        seconds(one.longest_gap),
        (after.acknowledged() - before.acknowledged()).to_string(),
        (after.refused.len() - before.refused.len()).to_string(),
        seconds(well),
    ];
    format!("| {} |", cells.join(" | "))
}

#[test]
fn a_lost_host_loses_nothing_acknowledged() {
    if !has_lab() || !has_time() {
        return;
    }
    let mut scene = Scene::start(Database::External);
    for number in 1..=3 {
        let name = format!("host {number}{} loses power, comes back after 60 s", scene.role_of(number));
        scene.suffer(&name, |cluster| {
            let host = cluster.lab().host(number);
            host.kill();
            std::thread::sleep(LASTS);
            host.start();
        });
    }
    for number in 1..=3 {
        let name = format!("host {number}{} is cut off for 60 s", scene.role_of(number));
        scene.suffer(&name, |cluster| {
            let host = cluster.lab().host(number);
            host.cut();
            std::thread::sleep(LASTS);
            host.heal();
        });
    }
    scene.end();
}

#[test]
fn a_lost_role_loses_nothing_acknowledged() {
    if !has_lab() || !has_time() {
        return;
    }
    let mut scene = Scene::start(Database::External);
    for role in SPREAD_ROLES {
        scene.suffer(&format!("one {role} is killed"), |cluster| kill(&cluster.lab().hosts()[..1], role));
        scene.suffer(&format!("every {role} is killed"), |cluster| kill(cluster.lab().hosts(), role));
    }
    for role in SINGLE_ROLES {
        scene.suffer(&format!("the {role} is killed"), |cluster| kill(cluster.lab().hosts(), role));
    }
    scene.suffer("the store does not answer for 60 s", |cluster| {
        cluster.backends().pause_store();
        std::thread::sleep(LASTS);
        cluster.backends().resume_store();
    });
    scene.suffer("the database does not answer for 60 s", |cluster| {
        cluster.backends().pause_database();
        std::thread::sleep(LASTS);
        cluster.backends().resume_database();
    });
    scene.suffer("all engines stop and start again", |cluster| {
        let hosts = cluster.lab().hosts();
        each(hosts, Host::stop_engine);
        each(hosts, Host::start_engine);
    });
    scene.end();
}

/// Does something on all hosts at once.
fn each(hosts: &[Host], act: fn(&Host)) {
    std::thread::scope(|scope| hosts.iter().for_each(|host| drop(scope.spawn(move || act(host)))));
}

/// `kill -9` for the containers of the role on all of `hosts` at once; there must be one.
fn kill(hosts: &[Host], role: &str) {
    let filter = format!("label=io.deis.process={role}");
    let list = ["ps", "--quiet", "--filter", "label=io.deis.platform=deis-platform", "--filter", &filter];
    let kill_on = |host: &Host| {
        let listed = host.docker(&list).succeeded().stdout;
        let ids: Vec<&str> = listed.split_whitespace().collect();
        ids.iter().for_each(|id| drop(host.docker(&["kill", id]).succeeded()));
        ids.len()
    };
    let killed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = hosts.iter().map(|host| scope.spawn(move || kill_on(host))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a container can be killed")).sum()
    });
    assert!(killed > 0, "no host has a {role}");
}
