//! Commands on a cluster that is only pretended, with what they print.

use std::time::Duration;

use deis_scheduler::pretend;

use super::*;
use crate::arguments::{Install, Scale, Targets};
use crate::fleet::Settings;
use crate::membership::tests::cluster_of;

/// Looks at once, and gives up soon.
const HASTE: Patience = Patience {
    poll: Duration::from_millis(1),
    settle: Duration::ZERO,
    limit: Duration::from_millis(50),
    answer: Duration::ZERO,
};

fn targets(words: &[&str]) -> Targets {
    Targets { targets: words.iter().map(|word| (*word).to_owned()).collect() }
}

fn installed(words: &[&str]) -> Install {
    Install { targets: targets(words).targets, router_mesh_size: None }
}

fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).expect("text")
}

/// Three hosts of every plane, with a domain and a store.
async fn operation() -> Operation {
    let operation =
        Operation { fleet: cluster_of(&pretend(&["lab1", "lab2", "lab3"])).await, patience: HASTE };
    set(&operation, "platform", "domain", Some("example.com")).await;
    set(&operation, "store", "url", Some("s3://KEY:SECRET@deis")).await;
    operation
}

async fn set(operation: &Operation, target: &str, key: &str, value: Option<&str>) {
    let change = |settings: &mut Settings| {
        settings.set(target, key, value);
        Ok(())
    };
    operation.fleet.documents.change(change).await.expect("set");
}

/// Units and their sub-states, as `deisctl list` prints them.
async fn listed(operation: &Operation) -> Vec<String> {
    let mut out = Vec::new();
    listing::run(operation, &mut out).await.expect("listed");
    let shown = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        format!("{} {}", words[0], words[4])
    };
    text(out).lines().skip(1).map(shown).collect()
}

/// A platform that runs.
async fn started() -> Operation {
    let operation = operation().await;
    operation.install(&installed(&["stateless-platform"]), &mut Vec::new()).await.expect_err("no database");
    operation.install(&installed(&["platform"]), &mut Vec::new()).await.expect("installed");
    let mut out = Vec::new();
    let code = operation.start(&targets(&["platform"]), &mut out).await.expect("started");
    assert_eq!(code, ExitCode::SUCCESS, "{}", text(out));
    operation
}

#[tokio::test]
async fn a_platform_is_installed_and_started_in_the_originals_order_and_words() {
    let operation = operation().await;
    let mut out = Vec::new();
    operation.install(&installed(&["platform"]), &mut out).await.expect("installed");
    assert_eq!(
        text(out),
        "● ▴ ■\n■ ● ▴ Installing Deis...\n▴ ■ ●\n\n\
         Storage subsystem...\ndeis-database.service: loaded\n\
         Logging subsystem...\ndeis-logger.service: loaded\ndeis-logspout.service: loaded\n\
         Control plane...\ndeis-registry.service: loaded\ndeis-controller.service: loaded\ndeis-builder.service: loaded\n\
         Data plane...\ndeis-publisher.service: loaded\n\
         Router mesh...\ndeis-router.service: loaded\n\
         Done.\n\nPlease run `deisctl start platform` to boot up Deis.\n"
    );
    let mut out = Vec::new();
    operation.start(&targets(&["platform"]), &mut out).await.expect("started");
    let hosts = |unit: &str| {
        ["lab1", "lab2", "lab3"].map(|host| format!("deis-{unit}@{host}.service: active/running\n")).concat()
    };
    let expected = [
        "● ▴ ■\n■ ● ▴ Starting Deis...\n▴ ■ ●\n\nStorage subsystem...\n",
        &hosts("database"),
        "Logging subsystem...\ndeis-logger.service: active/running\n",
        &hosts("logspout"),
        "Control plane...\n",
        &hosts("registry"),
        &hosts("controller"),
        "deis-builder.service: active/running\nData plane...\n",
        &hosts("publisher"),
        "Router mesh...\n",
        &hosts("router"),
    ];
    let out = text(out);
    assert!(out.starts_with(&expected.concat()), "{out}");
    assert!(out.contains("Done.\n\nPlease set up an administrative account."), "{out}");
}

#[tokio::test]
async fn stopping_goes_the_other_way_and_uninstalling_forgets() {
    let operation = started().await;
    let mut out = Vec::new();
    operation.stop(&targets(&["platform"]), &mut out).await.expect("stopped");
    let out = text(out);
    let titles: Vec<_> = out.lines().filter(|line| line.ends_with("...") && !line.contains('●')).collect();
    assert_eq!(
        titles,
        [
            "Router mesh...",
            "Data plane...",
            "Control plane...",
            "Logging subsystem...",
            "Storage subsystem..."
        ]
    );
    assert!(out.contains("deis-router@lab2.service: inactive/dead"), "{out}");
    assert!(listed(&operation).await.iter().all(|line| line.ends_with(" dead")));
    operation.uninstall(&targets(&["platform"]), &mut Vec::new()).await.expect("uninstalled");
    assert!(listed(&operation).await.is_empty());
}

#[tokio::test]
async fn a_unit_that_does_not_come_up_fails_the_command_and_not_the_others() {
    let operation = operation().await;
    set(&operation, "logspout", "image", Some("crash")).await;
    set(&operation, "builder", "image", Some("missing")).await;
    operation.install(&installed(&["platform"]), &mut Vec::new()).await.expect("installed");
    let mut out = Vec::new();
    let code = operation.start(&targets(&["platform"]), &mut out).await.expect("tried");
    let out = text(out);
    assert_eq!(code, ExitCode::FAILURE);
    assert!(out.contains("The service 'logspout' failed while starting.\n  0 of 3 are up"), "{out}");
    assert!(
        out.contains("The service 'builder' failed while starting.\n  image missing was not found"),
        "{out}"
    );
    assert!(out.contains("deis-router@lab3.service: active/running") && !out.contains("Done."), "{out}");
}

#[tokio::test]
async fn scaling_gives_a_number_in_place_of_one_per_host() {
    let operation = started().await;
    let scale = |word: &str| Scale { components: vec![word.to_owned()] };
    let mut out = Vec::new();
    operation.scale(&scale("router=2"), &mut out).await.expect("scaled");
    assert_eq!(text(out), "deis-router@1.service: active/running\ndeis-router@2.service: active/running\n");
    operation.scale(&scale("router=4"), &mut Vec::new()).await.expect_err("three hosts");
    operation.scale(&scale("controller=1"), &mut Vec::new()).await.expect_err("one per host");
    let routers = listed(&operation).await.into_iter().filter(|line| line.contains("router")).count();
    assert_eq!(routers, 2);
}

#[tokio::test]
async fn one_instance_is_restarted_and_the_others_stay() {
    let operation = started().await;
    let ids = async || {
        let state = State::read(&operation.fleet).await.expect("read");
        let found = crate::sighting::of(&operation.fleet, &state, Unit::Controller).await.expect("seen");
        found.into_iter().map(|found| (found.name(), found.container.id)).collect::<Vec<_>>()
    };
    let before = ids().await;
    let mut out = Vec::new();
    operation.restart(&targets(&["controller@lab2"]), &mut out).await.expect("restarted");
    let changed: Vec<_> =
        ids().await.into_iter().filter(|one| !before.contains(one)).map(|(name, _)| name).collect();
    assert_eq!(changed, ["deis-controller@lab2.service"]);
    assert_eq!(text(out), "deis-controller@lab2.service: active/running\n");
    let unknown = operation.restart(&targets(&["controller@lab9"]), &mut Vec::new()).await.expect_err("none");
    assert!(unknown.to_string().starts_with("there is no deis-controller@lab9"), "{unknown}");
}

#[tokio::test]
async fn units_that_are_not_installed_or_not_whole_are_refused() {
    let operation = operation().await;
    let refused = async |words: &[&str]| {
        let refused = operation.start(&targets(words), &mut Vec::new()).await.expect_err("refused");
        refused.to_string()
    };
    assert!(refused(&["platform"]).await.contains("deisctl install platform"));
    operation.install(&installed(&["router"]), &mut Vec::new()).await.expect("installed");
    assert!(refused(&["controller"]).await.starts_with("could not find unit: deis-controller"));
    assert!(refused(&["router@lab1"]).await.contains("deisctl drain HOST"));
    assert!(refused(&["store-gateway"]).await.starts_with("could not find unit: store-gateway"));
}

#[tokio::test]
async fn an_external_database_is_not_ours_to_run() {
    let operation = operation().await;
    set(&operation, "database", "url", Some("postgres://deis:secret@10.0.0.8/deis")).await;
    operation.install(&installed(&["stateless-platform"]), &mut Vec::new()).await.expect("installed");
    assert!(listed(&operation).await.iter().all(|line| !line.starts_with("deis-database")));
}
