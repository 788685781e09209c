//! Settings in a cluster: kept by the engine, handed to the roles concerned.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use deis_runtime::mesh_settings;
use time::OffsetDateTime;

use crate::control::Control;
use crate::fleet::{Settings, State, Wishes};
use crate::operate::Operation;
use crate::unit::Unit;
use crate::unit::variable::{Effect, effect, mismatch};

use super::{Request, Target, echo, show};

pub(super) async fn answer(
    operation: &Operation,
    target: Target<'_>,
    request: &Request,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    match request {
        Request::Get(keys) => {
            let settings = operation.fleet.documents.read::<Settings>().await?.unwrap_or_default();
            show(target, &settings.0.get(target.0).cloned().unwrap_or_default(), keys, out)?;
            Ok(ExitCode::SUCCESS)
        }
        Request::Change(changes) => change(operation, target, changes, out).await,
    }
}

async fn change(
    operation: &Operation,
    target: Target<'_>,
    changes: &[(String, Option<String>)],
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    for (key, value) in changes {
        // Without the value, which may be a password or hold one.
        if let Some(wanted) = value.as_deref().and_then(|value| mismatch(target.0, key, value)) {
            bail!("{} {key} stays as it is: it has to be {wanted}", target.0);
        }
    }
    let write = |settings: &mut Settings| {
        if target.is_router() {
            check_mesh(settings.0.get(target.0), changes)?;
        }
        for (key, value) in changes {
            settings.set(target.0, key, value.as_deref());
        }
        Ok(())
    };
    operation.fleet.documents.change(write).await?;
    if changes.iter().any(|(key, _)| effect(target.0, key) == Effect::Controller) {
        let note = |wishes: &mut Wishes| Ok(wishes.untold.insert(target.0.to_owned()));
        operation.fleet.documents.change(note).await?;
    }
    echo(target, changes, out)?;
    let units = concerned(target, changes);
    let state = State::read(&operation.fleet).await?;
    let running: Vec<_> = state.wishes.started().into_iter().filter(|unit| units.contains(unit)).collect();
    if running.is_empty() {
        Control::settle(&operation.fleet, out).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<_> = running.iter().map(|unit| format!("deis-{unit}")).collect();
    writeln!(out, "Restarting now, one after the other, for the changed settings: {}", names.join(", "))?;
    let code = operation.settle(&running, out).await?;
    Control::settle(&operation.fleet, out).await?;
    Ok(code)
}

/// Refuses what routers could not follow.
fn check_mesh(
    settings: Option<&BTreeMap<String, String>>,
    changes: &[(String, Option<String>)],
) -> anyhow::Result<()> {
    let is_theirs = |key: &str| effect("router", key) == Effect::Controller;
    let settings = settings.into_iter().flatten().filter(|(key, _)| is_theirs(key));
    let settings = settings.map(|(key, value)| (key.clone(), value.clone())).collect();
    let changes = changes.iter().filter(|(key, _)| is_theirs(key)).cloned().collect();
    Ok(mesh_settings::check(&settings, &changes, OffsetDateTime::now_utc())?)
}

/// The units that the changed settings are for.
fn concerned(target: Target<'_>, changes: &[(String, Option<String>)]) -> BTreeSet<Unit> {
    let units = changes.iter().flat_map(|(key, _)| match effect(target.0, key) {
        Effect::Units(units) => units.to_vec(),
        Effect::Image(unit) => vec![unit],
        Effect::Controller => Vec::new(),
    });
    units.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use deis_scheduler::pretend;

    use super::*;
    use crate::membership::tests::cluster_of;
    use crate::rollout::Patience;

    const HASTE: Patience = Patience {
        poll: Duration::from_millis(1),
        settle: Duration::ZERO,
        limit: Duration::from_millis(50),
        answer: Duration::ZERO,
    };

    async fn operation() -> Operation {
        Operation { fleet: cluster_of(&pretend(&["lab1", "lab2"])).await, patience: HASTE }
    }

    async fn told(operation: &Operation, target: &str, changes: &[(&str, Option<&str>)]) -> String {
        let owned = |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
        let request = Request::Change(changes.iter().map(owned).collect());
        let target = Target::parse(target).expect("a target");
        let mut out = Vec::new();
        answer(operation, target, &request, &mut out).await.expect("changed");
        String::from_utf8(out).expect("text")
    }

    async fn shown(operation: &Operation, target: &str, keys: &[&str]) -> anyhow::Result<String> {
        let request = Request::Get(keys.iter().map(|key| (*key).to_owned()).collect());
        let mut out = Vec::new();
        answer(operation, Target::parse(target)?, &request, &mut out).await?;
        Ok(String::from_utf8(out)?)
    }

    #[tokio::test]
    async fn settings_are_kept_before_any_controller_runs() {
        let operation = operation().await;
        assert_eq!(told(&operation, "router", &[("http", Some("0.0.0.0:8080"))]).await, "0.0.0.0:8080\n");
        assert_eq!(told(&operation, "router", &[("git", Some("0.0.0.0:22"))]).await, "0.0.0.0:22\n");
        assert_eq!(shown(&operation, "router", &["http"]).await.expect("set"), "0.0.0.0:8080\n");
        assert_eq!(told(&operation, "router", &[("http", None)]).await, "http\n");
        assert_eq!(shown(&operation, "router", &[]).await.expect("set"), "git=0.0.0.0:22\n");
        let missing = shown(&operation, "router", &["http"]).await.expect_err("removed").to_string();
        assert_eq!(missing, "Key not found (/deis/router/http)");
    }

    #[tokio::test]
    async fn what_a_unit_could_not_read_is_never_set() {
        let operation = operation().await;
        let request = Request::Change(vec![("http".to_owned(), Some("80".to_owned()))]);
        let target = Target::parse("router").expect("a target");
        let refused = answer(&operation, target, &request, &mut Vec::new()).await.expect_err("no address");
        assert_eq!(
            refused.to_string(),
            "router http stays as it is: it has to be addresses and ports, as 0.0.0.0:80,[::]:80"
        );
        assert!(shown(&operation, "router", &["http"]).await.is_err());
    }

    #[tokio::test]
    async fn what_routers_could_not_follow_is_never_set() {
        let operation = operation().await;
        let target = Target::parse("router").expect("a target");
        let set = |key: &str, value: &str| Request::Change(vec![(key.to_owned(), Some(value.to_owned()))]);
        for (key, value) in [("bodySize", "big"), ("nonsense", "1"), ("sslKey", "x")] {
            let refused = answer(&operation, target, &set(key, value), &mut Vec::new()).await;
            assert!(refused.expect_err("refused").to_string().contains(key), "{key}");
        }
        assert_eq!(told(&operation, "router", &[("bodySize", Some("5m"))]).await, "5m\n");
        assert_eq!(shown(&operation, "router", &[]).await.expect("set"), "bodySize=5m\n");
    }

    #[tokio::test]
    async fn the_key_of_the_platforms_certificate_is_not_printed() {
        let operation = operation().await;
        let pair = rcgen::generate_simple_self_signed(vec!["a.example.com".to_owned()]).expect("a pair");
        let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let printed = told(&operation, "router", &[("sslCert", Some(&chain)), ("sslKey", Some(&key))]).await;
        assert_eq!(printed, format!("{chain}\n(hidden)\n"));
        assert_eq!(shown(&operation, "router", &["sslKey"]).await.expect("set"), "(hidden)\n");
    }

    #[tokio::test]
    async fn only_units_that_a_setting_is_for_start_anew_and_that_is_said() {
        let operation = operation().await;
        told(&operation, "platform", &[("domain", Some("example.com"))]).await;
        told(&operation, "store", &[("url", Some("s3://KEY:SECRET@deis"))]).await;
        let start = |wishes: &mut Wishes| {
            for unit in [Unit::Router, Unit::Logger] {
                wishes.units.entry(unit).or_default().started = true;
            }
            Ok(())
        };
        operation.fleet.documents.change(start).await.expect("wished");
        operation.settle(&Unit::ALL, &mut Vec::new()).await.expect("settled");
        assert_eq!(
            told(&operation, "router", &[("log", Some("debug"))]).await,
            "debug\n\
             Restarting now, one after the other, for the changed settings: deis-router\n\
             deis-router@lab1.service: active/running\n\
             deis-router@lab2.service: active/running\n"
        );
        assert_eq!(told(&operation, "builder", &[("log", Some("debug"))]).await, "debug\n");
    }

    #[tokio::test]
    async fn what_the_controller_takes_while_it_runs_waits_for_it() {
        let operation = operation().await;
        told(&operation, "controller", &[("registrationMode", Some("disabled"))]).await;
        let state = State::read(&operation.fleet).await.expect("read");
        assert_eq!(state.wishes.untold, BTreeSet::from(["controller".to_owned()]));
    }
}
