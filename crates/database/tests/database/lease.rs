//! Leases: one holder at a time, and no word of a former one counts.

use std::time::Duration;

use deis_database::{Database, DatabaseError, Lease};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    a_lease_has_one_holder_until_it_gives_it_back,
    a_lease_that_ran_out_goes_to_the_next,
    a_holder_that_starts_anew_fences_off_what_it_was_before,
    a_former_holder_writes_nothing,
    of_many_that_want_a_lease_one_gets_it,
    leases_of_other_names_are_other_leases,
}

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// Over as soon as it is granted.
const SHORT: Duration = Duration::from_micros(1);

async fn take(database: &Database, holder: &str, ttl: Duration) -> Option<Lease> {
    database.take_lease("controller", holder, &format!("http://{holder}"), ttl).await.expect("it answers")
}

async fn holder(database: &Database) -> Option<String> {
    let row = database.lease_holder("controller").await.expect("it answers")?;
    assert_eq!(row.address, format!("http://{}", row.holder));
    assert!(row.remaining <= LONG && row.epoch > 0);
    Some(row.holder)
}

fn fenced<T>(result: Result<T, DatabaseError>) -> bool {
    matches!(result, Err(DatabaseError::Fenced { lease }) if lease == "controller")
}

async fn a_lease_has_one_holder_until_it_gives_it_back(databases: Databases) {
    let (one, two) = databases.open_twice().await;
    assert_eq!(holder(&one).await, None);
    let lease = take(&one, "one", LONG).await.unwrap();
    assert_eq!(take(&two, "two", LONG).await, None);
    assert_eq!(holder(&two).await.as_deref(), Some("one"));
    one.renew_lease(&lease).await.unwrap();
    one.release_lease(&lease).await.unwrap();
    assert_eq!(holder(&two).await, None);
    assert!(fenced(one.renew_lease(&lease).await));
    let next = take(&two, "two", LONG).await.unwrap();
    assert!(next.epoch > lease.epoch);
    one.release_lease(&lease).await.unwrap();
    assert_eq!(holder(&one).await.as_deref(), Some("two"), "giving back twice takes it from nobody");
}

async fn a_lease_that_ran_out_goes_to_the_next(databases: Databases) {
    let (one, two) = databases.open_twice().await;
    let lease = take(&one, "one", SHORT).await.unwrap();
    one.renew_lease(&lease).await.expect("nobody took it yet");
    let next = loop {
        match take(&two, "two", LONG).await {
            Some(lease) => break lease,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(next.epoch > lease.epoch);
    assert!(fenced(one.renew_lease(&lease).await));
}

async fn a_holder_that_starts_anew_fences_off_what_it_was_before(databases: Databases) {
    let (one, two) = databases.open_twice().await;
    let before = one.fenced(&take(&one, "one", LONG).await.unwrap());
    let after = two.fenced(&take(&two, "one", LONG).await.unwrap());
    assert!(fenced(before.delete_all_tokens().await));
    after.delete_all_tokens().await.unwrap();
}

async fn a_former_holder_writes_nothing(databases: Databases) {
    let (one, two) = databases.open_twice().await;
    let lease = take(&one, "one", LONG).await.unwrap();
    let leader = one.fenced(&lease);
    let at = time::OffsetDateTime::UNIX_EPOCH;
    leader.touch_host("first", at).await.unwrap();
    one.release_lease(&lease).await.unwrap();
    assert!(fenced(leader.touch_host("second", at).await), "not after giving it back");
    take(&two, "two", LONG).await.unwrap();
    assert!(fenced(leader.touch_host("second", at).await), "nor when another has it");
    assert_eq!(leader.hosts().await.unwrap().len(), 1, "but it may read");
    one.touch_host("third", at).await.expect("a handle without a fence writes");
}

async fn of_many_that_want_a_lease_one_gets_it(databases: Databases) {
    let (one, two) = databases.open_twice().await;
    let wanting = (0..20).map(|number| {
        let database = if number % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { take(&database, &format!("holder-{number}"), LONG).await })
    });
    let wanting: Vec<_> = wanting.collect();
    let mut granted = 0;
    for lease in wanting {
        granted += u32::from(lease.await.unwrap().is_some());
    }
    assert_eq!(granted, 1);
}

async fn leases_of_other_names_are_other_leases(databases: Databases) {
    let (one, two) = databases.open_twice().await;
    take(&one, "one", LONG).await.unwrap();
    let other = two.take_lease("backup", "two", "", LONG).await.unwrap();
    assert_eq!(other.map(|lease| lease.epoch), Some(1));
}
