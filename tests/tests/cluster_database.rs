//! A platform that runs its own PostgreSQL: nothing acknowledged is lost, whatever hosts are.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use deis_tests::{Cluster, Host, Plan, Site, User, has_lab, has_time};

/// How long writes may have to wait, and a host may take to be whole again.
const RECOVERS: Duration = Duration::from_secs(300);
/// Between two settings.
const PAUSE: Duration = Duration::from_millis(300);

#[test]
fn nothing_acknowledged_is_lost_with_a_host_or_with_all_of_them() {
    if !has_lab() || !has_time() {
        return;
    }
    let cluster = Cluster::start(&Plan { spares: 1, ..Plan::default() });
    let user = Arc::new(cluster.user("ann"));
    let app = user.create_app("blog", "worker-python");
    app.push().succeeded();
    cluster.answers("blog", "");
    let writer = Writer::start(&user);

    let lost = primary(&cluster);
    suffer("the primary's host loses power", &writer, || lost.kill());
    lost.start();
    cluster.await_up();

    let gone = primary(&cluster);
    suffer("the primary's host is lost for good", &writer, || gone.kill());
    cluster.deisctl(&["remove", gone.name()]).succeeded();
    let spare = cluster.lab().hosts().last().expect("there are hosts");
    cluster.join(spare);
    cluster.eventually("the new host has a copy", RECOVERS, |cluster| {
        let told = cluster.deisctl(&["status"]);
        told.code == 0 && told.stdout.contains(&format!("{} is a copy", spare.name()))
    });
    writer.await_write();
    let acknowledged = writer.end();
    check(&user, &acknowledged);

    cluster.deisctl(&["stop", "platform"]).succeeded();
    cluster.lab().hosts().iter().filter(|host| host.has_power()).for_each(lose_database);
    cluster.deisctl(&["start", "platform"]).succeeded();
    cluster.await_up();
    check(&user, &acknowledged);
    app.push().succeeded();
    cluster.answers("blog", "");
}

/// Has a fault happen, and waits until a write that began afterwards is acknowledged.
fn suffer(name: &str, writer: &Writer, fault: impl FnOnce()) {
    writer.await_write();
    let begun = Instant::now();
    fault();
    writer.await_write();
    eprintln!("{name}: writes went on after {:.1} s", begun.elapsed().as_secs_f64());
}

/// The host whose database takes writes, as the platform's status tells.
fn primary(cluster: &Cluster) -> Host {
    let told = cluster.deisctl(&["status", "database"]).stdout;
    let hosts = cluster.lab().hosts();
    let found = hosts.iter().find(|host| told.contains(&format!("{} is the primary", host.name())));
    found.unwrap_or_else(|| panic!("no host is the primary:\n{told}")).clone()
}

/// Takes away all that the host has of the database.
fn lose_database(host: &Host) {
    for folder in ["/var/lib/deis/database", "/var/lib/deis/database-files"] {
        host.run(["find", folder, "-mindepth", "1", "-delete"]).succeeded();
    }
}

/// All settings that were acknowledged are there.
fn check(user: &User, acknowledged: &BTreeSet<u32>) {
    let listed = user.deis(&["config:list", "--app=ledger"]).succeeded().stdout;
    let there: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let lost: Vec<_> =
        acknowledged.iter().filter(|number| !there.contains(format!("KEY_{number}").as_str())).collect();
    assert!(lost.is_empty(), "{lost:?} of {} settings were acknowledged and are gone", acknowledged.len());
}

/// Somebody who makes one setting after the other and remembers which were acknowledged.
struct Writer {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeSet<u32>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(user: &Arc<User>) -> Self {
        user.deis(&["create", "ledger", "--no-remote"]).succeeded();
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<Mutex<BTreeSet<u32>>>::default());
        let (user, stopped, noted) = (Arc::clone(user), Arc::clone(&stop), Arc::clone(&acknowledged));
        let thread = std::thread::spawn(move || {
            for number in (1..).take_while(|_| !stopped.load(Ordering::SeqCst)) {
                let said = user.deis(&["config:set", &format!("KEY_{number}=set"), "--app=ledger"]);
                match said.code {
                    0 => drop(noted.lock().expect("nobody panics with it").insert(number)),
                    _ => eprintln!("refused: {}", said.all().trim()),
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, acknowledged, thread: Some(thread) }
    }

    /// Waits until a write that began after now is acknowledged.
    fn await_write(&self) {
        let newest = || self.acknowledged.lock().expect("nobody panics with it").last().copied().unwrap_or(0);
        // The one under way may be acknowledged by a host that is gone.
        let (after, deadline) = (newest() + 1, Instant::now() + RECOVERS);
        while newest() <= after {
            assert!(Instant::now() < deadline, "no write is acknowledged within {RECOVERS:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends the writing; what was acknowledged.
    fn end(mut self) -> BTreeSet<u32> {
        self.stop();
        self.acknowledged.lock().expect("nobody panics with it").clone()
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // What it noted counts, however it ended.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}
