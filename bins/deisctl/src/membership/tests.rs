//! Hosts that join and go, on a cluster that is only pretended.

use std::time::Duration;

use deis_scheduler::{Engine, pretend};

use super::init::begin;
use super::label::{give_planes, label_in};
use super::remove::remove_from;
use super::*;
use crate::arguments::{Init, Label};
use crate::fleet::{Settings, Wishes};
use crate::rollout::Patience;
use crate::unit::Unit;

const HASTE: Patience = Patience {
    poll: Duration::from_millis(1),
    settle: Duration::ZERO,
    limit: Duration::from_millis(50),
    answer: Duration::ZERO,
};

fn nobody() -> Init {
    Init {
        address: Some("10.0.0.1".parse().expect("address")),
        domain: None,
        planes: crate::arguments::Planes { planes: Vec::new() },
    }
}

/// A cluster of the hosts of `engines`, each of every plane, asked on the first.
pub(crate) async fn cluster_of(engines: &[Engine]) -> Fleet {
    let fleets: Vec<_> = engines.iter().cloned().map(|engine| Fleet::new(engine).expect("hosts")).collect();
    let first = fleets[0].clone();
    begin(&first, &nobody(), "deis/platform:1-abc").await.expect("made");
    for (number, fleet) in fleets.iter().enumerate() {
        let ticket = first.cluster.ticket(true).await.expect("ticket");
        let address = std::net::Ipv4Addr::new(10, 0, 0, u8::try_from(number + 1).expect("few")).into();
        fleet.cluster.join(&ticket, address).await.expect("joined");
        let name = fleet.cluster.this_host().await.expect("named");
        give_planes(&first, &name, &Plane::ALL).await.expect("labelled");
    }
    first
}

async fn operation() -> Operation {
    let fleet = cluster_of(&pretend(&["lab1", "lab2", "lab3"])).await;
    let settle = |settings: &mut Settings| {
        settings.set("platform", "domain", Some("example.com"));
        settings.set("store", "url", Some("s3://KEY:SECRET@deis"));
        Ok(())
    };
    fleet.documents.change(settle).await.expect("set");
    Operation { fleet, patience: HASTE }
}

/// Units that run, without a controller to be told of anything.
async fn running(operation: &Operation, units: &[Unit]) {
    let wish = |wishes: &mut Wishes| {
        for unit in units {
            wishes.units.entry(*unit).or_default().started = true;
        }
        Ok(())
    };
    operation.fleet.documents.change(wish).await.expect("wished");
    operation.settle(units, &mut Vec::new()).await.expect("settled");
}

fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).expect("text")
}

#[tokio::test]
async fn a_second_init_changes_nothing_but_what_it_is_told() {
    let fleet = cluster_of(&pretend(&["lab1"])).await;
    let before = State::read(&fleet).await.expect("read");
    let again = Init { domain: Some("Example.COM".into()), ..nobody() };
    begin(&fleet, &again, "deis/platform:2-def").await.expect("harmless");
    let after = State::read(&fleet).await.expect("read");
    assert!(before.secrets.internal_key == after.secrets.internal_key);
    assert!(before.identities.bundle("router").ok() == after.identities.bundle("router").ok());
    assert_eq!(after.wishes, before.wishes);
    assert_eq!(after.settings.value("platform", "domain"), Some("example.com"));
}

#[tokio::test]
async fn a_removed_host_is_forgotten_by_the_engine_and_by_those_who_were_told_of_it() {
    let operation = operation().await;
    running(&operation, &[Unit::Router, Unit::Logger]).await;
    let mut out = Vec::new();
    remove_from(&operation, "lab3", &mut out).await.expect("removed");
    assert_eq!(
        text(out),
        "lab3: removed\n\
         deis-router@lab1.service: active/running\n\
         deis-router@lab2.service: active/running\n"
    );
    let state = State::read(&operation.fleet).await.expect("read");
    assert_eq!(state.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["lab1", "lab2"]);
    // No controller was there to be told: that is kept.
    assert!(state.wishes.forgotten.contains("lab3"));
}

#[tokio::test]
async fn removing_is_harmless_twice_and_refused_for_the_host_that_is_asked() {
    let operation = operation().await;
    remove_from(&operation, "lab3", &mut Vec::new()).await.expect("removed");
    let mut out = Vec::new();
    // Nobody told the controller yet, so that this one has something to finish.
    assert_eq!(remove_from(&operation, "lab3", &mut out).await.expect("removed"), ExitCode::SUCCESS);
    let out = text(out);
    assert!(out.starts_with("lab3: the cluster has no such host") && !out.contains("removed"), "{out}");
    let refused = remove_from(&operation, "lab1", &mut Vec::new()).await.expect_err("this host");
    assert!(refused.to_string().contains("ask another"), "{refused}");
}

#[tokio::test]
async fn removing_a_host_that_never_was_fails_and_names_those_there_are() {
    let (operation, mut out) = (operation().await, Vec::new());
    assert_eq!(remove_from(&operation, "lab7", &mut out).await.expect("answered"), ExitCode::FAILURE);
    let out = text(out);
    assert!(
        out.starts_with("lab7: the cluster has no such host") && out.contains("lab1, lab2, lab3"),
        "{out}"
    );
}

#[tokio::test]
async fn a_host_that_changes_its_plane_changes_who_runs_there() {
    let operation = operation().await;
    running(&operation, &[Unit::Router]).await;
    let label = |changes: &[&str]| Label {
        host: "lab3".into(),
        changes: changes.iter().map(|text| (*text).to_owned()).collect(),
    };
    let mut out = Vec::new();
    label_in(&operation, &label(&["routerMesh-", "disk=ssd"]), &mut out).await.expect("labelled");
    assert_eq!(
        text(out),
        "lab3: routerMesh-\nlab3: disk=ssd\n\
         deis-router@lab1.service: active/running\n\
         deis-router@lab2.service: active/running\n"
    );
    for text in ["routerMesh", "=x", "a=", "a b=c", "-"] {
        assert!(label_in(&operation, &label(&[text]), &mut Vec::new()).await.is_err(), "{text}");
    }
}
