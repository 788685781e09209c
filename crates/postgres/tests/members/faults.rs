//! Three hosts under a steady load of writes: whatever happens to one of them, nothing acknowledged is lost.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use rustix::process::Signal;

use crate::hosts::Hosts;
use crate::writer::{Progress, check};

const ALL: [&str; 3] = ["a", "b", "c"];

/// Three hosts that copy each other, with a table to write to.
fn three() -> Option<Hosts> {
    let mut hosts = Hosts::new()?;
    hosts.start_all(&ALL);
    hosts.answer(&ALL, "CREATE TABLE IF NOT EXISTS written (number bigint PRIMARY KEY)");
    hosts.await_copies(&ALL, 2);
    Some(hosts)
}

/// Has somebody write while `faults` happen; then everything acknowledged must be there.
fn under_load(hosts: &mut Hosts, faults: impl FnOnce(&mut Hosts, &Progress)) {
    let progress = Progress::default();
    let client = hosts.client(&ALL);
    let acknowledged = std::thread::scope(|scope| {
        let writer = scope.spawn(|| progress.write(|sql| client.run(sql).status.success()));
        // A fault that is not survived ends the writer too, or nothing would ever be told of it.
        let survived = catch_unwind(AssertUnwindSafe(|| {
            progress.await_write(hosts);
            faults(hosts, &progress);
        }));
        let acknowledged = progress.end(writer);
        match survived {
            Ok(()) => acknowledged,
            Err(fault) => resume_unwind(fault),
        }
    });
    check(hosts, &ALL, &acknowledged);
}

#[test]
fn a_lost_host_takes_nothing_acknowledged_with_it() {
    let Some(mut hosts) = three() else { return };
    under_load(&mut hosts, |hosts, progress| {
        let primary = hosts.primary(&ALL);
        let killed = Instant::now();
        hosts.kill(&primary);
        progress.await_write(hosts);
        eprintln!("writes went on {:?} after the primary's host was lost", killed.elapsed());
        hosts.start(&primary, &ALL);
        hosts.await_copies(&ALL, 2);
        let primary = hosts.primary(&ALL);
        let copy = ALL.into_iter().find(|host| *host != primary).expect("there are others");
        let killed = Instant::now();
        hosts.kill(copy);
        progress.await_write(hosts);
        eprintln!("writes went on {:?} after a copy's host was lost", killed.elapsed());
        hosts.start(copy, &ALL);
        hosts.await_copies(&ALL, 2);
    });
}

#[test]
fn etcd_may_be_lost_on_any_host_and_everything_may_be_stopped() {
    let Some(mut hosts) = three() else { return };
    under_load(&mut hosts, |hosts, progress| {
        for host in ALL {
            hosts.signal(host, "--initial-cluster", Signal::KILL);
            progress.await_write(hosts);
        }
        let primary = hosts.primary(&ALL);
        hosts.signal(&primary, "patroni.yml", Signal::KILL);
        progress.await_write(hosts);
        hosts.stop(&ALL);
        hosts.start_all(&ALL);
        progress.await_write(hosts);
        hosts.await_copies(&ALL, 2);
    });
}

#[test]
fn a_primary_that_is_cut_off_takes_no_writes() {
    let Some(mut hosts) = three() else { return };
    let primary = hosts.primary(&ALL);
    under_load(&mut hosts, |hosts, progress| {
        let others: Vec<&str> = ALL.into_iter().filter(|host| *host != primary).collect();
        for host in &others {
            hosts.signal(host, "--initial-cluster", Signal::STOP);
        }
        hosts.until("the primary has stepped down", |hosts| {
            (hosts.sql_on(&primary, "SELECT pg_is_in_recovery()")? == "t").then_some(())
        });
        for host in &others {
            hosts.signal(host, "--initial-cluster", Signal::CONT);
        }
        progress.await_write(hosts);
        hosts.await_copies(&ALL, 2);
    });
}

#[test]
fn a_host_that_lost_its_disk_joins_again() {
    let Some(mut hosts) = three() else { return };
    under_load(&mut hosts, |hosts, progress| {
        hosts.kill("b");
        std::fs::remove_dir_all(hosts.kept_by("b")).unwrap();
        hosts.start("b", &ALL);
        progress.await_write(hosts);
        hosts.await_copies(&ALL, 2);
        assert_eq!(hosts.sql_on("b", "SELECT 1").as_deref(), Some("1"));
    });
}
