//! One host that loses everything, and going back in time: the store has it all.

use deis_postgres::prepare_restore;
use time::OffsetDateTime;

use crate::hosts::Hosts;

const ONE: [&str; 1] = ["a"];

/// Has everything written so far go to the store.
fn archive(hosts: &Hosts) {
    let switched =
        hosts.sql_on("a", "SELECT pg_walfile_name(pg_switch_wal())").expect("the host is the primary");
    let archived = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver";
    hosts.until("the log is archived", |hosts| {
        let last = hosts.sql_on("a", archived)?;
        (last.len() >= 24 && last[..24] >= switched[..]).then_some(())
    });
}

/// Waits until the store has `count` base backups.
fn await_backups(hosts: &Hosts, count: usize) {
    let store = hosts.kept_by("store");
    hosts.until("a base backup is made", |_| {
        let mut found = std::process::Command::new("find");
        let found = found.arg(&store).args(["-name", "backup.json"]).output().unwrap().stdout;
        (String::from_utf8_lossy(&found).lines().count() >= count).then_some(())
    });
}

fn written(hosts: &Hosts) -> String {
    hosts.answer(&ONE, "SELECT string_agg(number::text, ' ' ORDER BY number) FROM written")
}

#[test]
fn a_host_that_lost_everything_is_restored_from_the_store_as_of_any_time() {
    let Some(mut hosts) = Hosts::new() else { return };
    hosts.start_all(&ONE);
    hosts.answer(&ONE, "CREATE TABLE IF NOT EXISTS written AS SELECT 1 AS number");
    await_backups(&hosts, 1);
    hosts.answer(&ONE, "INSERT INTO written VALUES (2)");
    archive(&hosts);
    hosts.kill("a");
    std::fs::remove_dir_all(hosts.kept_by("a")).unwrap();
    hosts.start_all(&ONE);
    assert_eq!(written(&hosts), "1 2");

    let before = hosts.answer(&ONE, "SELECT extract(epoch FROM clock_timestamp())::bigint + 1");
    let before = OffsetDateTime::from_unix_timestamp(before.parse().unwrap()).unwrap();
    hosts.answer(&ONE, "SELECT pg_sleep(2)");
    hosts.answer(&ONE, "INSERT INTO written VALUES (3)");
    archive(&hosts);
    hosts.stop(&ONE);
    let aside = prepare_restore(&hosts.kept_by("a"), Some(before)).unwrap().expect("there was a database");
    assert!(aside.join("postgres/data").is_dir());
    hosts.start_all(&ONE);
    assert_eq!(written(&hosts), "1 2");
    await_backups(&hosts, 2);
}

#[test]
fn one_host_grows_to_three() {
    let Some(mut hosts) = Hosts::new() else { return };
    hosts.start_all(&ONE);
    hosts.answer(&ONE, "CREATE TABLE IF NOT EXISTS written AS SELECT 1 AS number");
    let all = ["a", "b", "c"];
    // The new ones first: they wait for the one with the data, also while it is away.
    hosts.start("b", &all);
    hosts.start("c", &all);
    hosts.stop(&ONE);
    hosts.start("a", &all);
    hosts.await_copies(&all, 2);
    assert_eq!(hosts.answer(&all, "SELECT number FROM written"), "1");
}
