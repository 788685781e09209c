//! The reconciler's rules, on an engine that only pretends.

// A test's panic is its report.
#![allow(clippy::unwrap_used)]

#[path = "reconcile/bench.rs"]
mod bench;
#[path = "reconcile/canary.rs"]
mod canary;
#[path = "reconcile/moving.rs"]
mod moving;
#[path = "reconcile/trouble.rs"]
mod trouble;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bench::{Bench, full_report, ready};
use deis_api::internal::{DeployAnswer, DeployGoal, Incarnation, RoutesRequest};
use deis_controller::app::{DeployError, Deploys};
use deis_model::{AppId, ContainerStatus, ProcessType, ReleaseState, ReleaseVersion, Workload};

#[tokio::test]
async fn a_release_that_becomes_ready_takes_the_place_of_the_old_one() {
    let bench = Bench::start().await;
    assert_eq!(bench.push("good").await.unwrap().number(), 2);
    assert_eq!(bench.routed(), ["blog_v2.web.1"]);
    bench.push("better").await.unwrap();
    assert_eq!(bench.routed(), ["blog_v3.web.1"]);
    bench.settles_on(&["blog_v3.web.1"]).await;
}

#[tokio::test]
async fn a_crashing_release_never_replaces_a_good_one() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    let failure = bench.push("crash").await.unwrap_err().to_string();
    assert_eq!(failure, "web.1 keeps exiting with status 1\nits last output:\n    web.1 is up");
    bench.settles_on(&["blog_v2.web.1"]).await;
    assert_eq!(bench.routed(), ["blog_v2.web.1"]);
    let failed = bench.database.release(&bench.app, ReleaseVersion::new(3).unwrap()).await.unwrap().unwrap();
    assert_eq!(failed.state, ReleaseState::Failed);
    assert_eq!(bench.push("good again").await.unwrap().number(), 4);
}

#[tokio::test]
async fn an_image_that_does_not_exist_fails_its_release_with_the_reason() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    let failure = bench.push("missing").await.unwrap_err().to_string();
    assert!(failure.contains("image missing was not found"), "{failure}");
    assert_eq!(bench.routed(), ["blog_v2.web.1"]);
}

#[tokio::test]
async fn scaling_adds_and_removes_the_highest_numbers() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    bench.scale(3).await.unwrap();
    assert_eq!(bench.routed(), ["blog_v2.web.1", "blog_v2.web.2", "blog_v2.web.3"]);
    bench.scale(1).await.unwrap();
    assert_eq!(bench.routed(), ["blog_v2.web.1"]);
    bench.settles_on(&["blog_v2.web.1"]).await;
    bench.scale(0).await.unwrap();
    assert!(bench.routed().is_empty());
    bench.settles_on(&[]).await;
}

#[tokio::test]
async fn a_container_is_stopped_only_when_no_request_is_under_way_to_it() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    let before = bench.book.generation();
    let busy = RoutesRequest {
        router: "r".to_owned(),
        epoch: "epoch".to_owned(),
        applied: u64::MAX,
        drained: before,
        draining: None,
        hold: true,
    };
    let asking = bench.book.note_router(&busy);
    bench.scale(0).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.names().await, ["blog_v2.web.1"], "a request is under way");
    let drained = bench.book.note_router(&RoutesRequest { drained: u64::MAX, ..busy.clone() });
    bench.settles_on(&[]).await;
    drop((asking, drained));
}

#[tokio::test]
async fn a_restart_makes_containers_anew_and_always_serves() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    let id = |found: Vec<deis_model::ContainerStatus>| found[0].id.clone();
    let before = id(bench.deployer.containers(&bench.app).await.unwrap());
    let watching = {
        let book = Arc::clone(&bench.book);
        let mut changes = book.subscribe();
        tokio::spawn(async move {
            let mut fewest = usize::MAX;
            let request = RoutesRequest {
                router: String::new(),
                epoch: String::new(),
                applied: 0,
                drained: 0,
                draining: None,
                hold: false,
            };
            while changes.changed().await.is_ok() {
                let news = book.news(&request).expect("the book is open");
                fewest = fewest.min(news.routes.iter().map(|route| route.endpoints.len()).sum());
                if fewest == 0 {
                    break;
                }
            }
            fewest
        })
    };
    let restarted = bench.deployer.restart(&bench.app, None, None).await.unwrap();
    assert_eq!(restarted.len(), 1);
    bench.settles_on(&["blog_v2.web.1"]).await;
    assert_ne!(id(bench.deployer.containers(&bench.app).await.unwrap()), before);
    assert!(!watching.is_finished(), "at some moment nothing was routed");
    watching.abort();
}

#[tokio::test]
async fn a_deleted_app_leaves_no_container_and_no_route() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    bench.database.delete_app(&bench.app).await.unwrap();
    bench.deployer.remove_app(&bench.app).await;
    assert!(bench.names().await.is_empty());
    assert!(bench.routed().is_empty());
}

#[tokio::test]
async fn an_app_made_anew_does_not_run_what_an_earlier_one_of_its_name_left() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    let old = bench.deployer.containers(&bench.app).await.unwrap().remove(0);
    let busy = RoutesRequest {
        router: "r".to_owned(),
        epoch: "epoch".to_owned(),
        applied: u64::MAX,
        drained: 0,
        draining: None,
        hold: true,
    };
    let asking = bench.book.note_router(&busy);
    bench.database.delete_app(&bench.app).await.unwrap();
    bench.deployer.wake(&bench.app);
    bench.database.create_app(&bench.app, "ann", "blog.localhost").await.unwrap();
    assert_eq!(bench.push("another").await.unwrap().number(), 2);
    let new = bench.deployer.containers(&bench.app).await.unwrap().remove(0);
    assert_eq!(new.name, old.name);
    assert_ne!(new.id, old.id, "the new app is served by the old one's container");
    drop(asking);
}

#[tokio::test]
async fn a_new_controller_withdraws_nothing_that_serves() {
    let bench = Bench::quiet(Duration::from_secs(20)).await;
    let version = bench.release("good").await;
    bench.database.mark_deployed(&bench.app, version).await.unwrap();
    bench.database.touch_host("here", time::OffsetDateTime::now_utc()).await.unwrap();
    bench.reconcile();
    bench.deployer.wake(&bench.app);
    bench.start_container().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let endpoints = ready(&bench.engine).await;
    bench.reports.take("here", full_report(endpoints), Instant::now());
    bench.opens().await;
    assert_eq!(bench.routed(), ["blog_v2.web.1"], "it served before the controller started");
}

#[tokio::test]
async fn nobody_waits_for_an_app_that_is_deleted() {
    let bench = Bench::quiet(Duration::from_secs(20)).await;
    bench.reconcile();
    let version = bench.release("good").await;
    bench.database.mark_deployed(&bench.app, version).await.unwrap();
    let deletion = async {
        bench.settles_on(&["blog_v2.web.1", "blog_v2.web.2"]).await;
        bench.database.delete_app(&bench.app).await.unwrap();
        bench.deployer.wake(&bench.app);
    };
    let both = async { tokio::join!(bench.scale(2), deletion).0 };
    let scaled = tokio::time::timeout(Duration::from_secs(10), both).await.expect("it does not wait on");
    assert!(matches!(scaled, Err(DeployError::Gone)), "{scaled:?}");
}

#[tokio::test]
async fn a_failed_scale_undoes_nothing_that_somebody_else_asked_for() {
    let bench = Bench::quiet(Duration::from_millis(300)).await;
    bench.reconcile();
    let version = bench.release("good").await;
    bench.database.mark_deployed(&bench.app, version).await.unwrap();
    let (first, second) = tokio::join!(bench.scale(5), async {
        bench
            .settles_on(&[
                "blog_v2.web.1",
                "blog_v2.web.2",
                "blog_v2.web.3",
                "blog_v2.web.4",
                "blog_v2.web.5",
            ])
            .await;
        bench.database.scale(&bench.app, &[(ProcessType::web(), 3)].into()).await
    });
    assert!(first.is_err() && second.is_ok());
    let desired = bench.database.desired(&bench.app).await.unwrap().unwrap();
    assert_eq!(desired.formation[&ProcessType::web()], 3);
    assert!(bench.scale(4).await.is_err());
    let desired = bench.database.desired(&bench.app).await.unwrap().unwrap();
    assert_eq!(desired.formation[&ProcessType::web()], 3, "it is as before");
}

#[tokio::test]
async fn a_container_that_was_removed_gets_no_traffic_by_an_old_report() {
    let bench = Bench::quiet(Duration::from_millis(300)).await;
    bench.reconcile();
    let version = bench.release("good").await;
    bench.database.mark_deployed(&bench.app, version).await.unwrap();
    bench.deployer.wake(&bench.app);
    bench.settles_on(&["blog_v2.web.1"]).await;
    let endpoints = ready(&bench.engine).await;
    bench.reports.take("here", full_report(endpoints), Instant::now());
    bench.scale(0).await.unwrap();
    bench.settles_on(&[]).await;
    let unreported = bench.scale(1);
    let made = async {
        bench.settles_on(&["blog_v2.web.1"]).await;
        bench.routed()
    };
    let (_, routed) = tokio::join!(unreported, made);
    assert!(routed.is_empty(), "{routed:?} is the one that was removed");
}

#[tokio::test]
async fn a_slow_pull_holds_up_nothing_else() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    let version = bench.release("slow").await;
    bench.deployer.wake(&bench.app);
    bench.scale(2).await.unwrap();
    assert_eq!(bench.routed(), ["blog_v2.web.1", "blog_v2.web.2"]);
    let pending = bench.database.release(&bench.app, version).await.unwrap().unwrap();
    assert_eq!(pending.state, ReleaseState::Pending);
    bench.has_pulled.add_permits(1);
    bench.deployer.await_release(&bench.app, version).await.unwrap();
    bench.settles_on(&["blog_v3.web.1", "blog_v3.web.2"]).await;
}

/// A container runs that no publisher has reported; only once a silent host was waited for in vain is it presumed to
/// serve.
async fn with_unreported_container() -> Bench {
    let bench = Bench::quiet(Duration::from_secs(20)).await;
    let version = bench.release("good").await;
    bench.database.mark_deployed(&bench.app, version).await.unwrap();
    bench.start_container().await;
    bench
}

#[tokio::test]
async fn a_host_that_was_forgotten_is_not_waited_for() {
    let bench = with_unreported_container().await;
    bench.database.touch_host("gone", time::OffsetDateTime::now_utc()).await.unwrap();
    bench.reconcile();
    bench.term.forget_host("gone").await.unwrap();
    bench.opens().await;
    assert!(bench.routed().is_empty());
    assert!(bench.database.hosts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_that_was_silent_much_longer_than_others_is_not_waited_for() {
    let bench = with_unreported_container().await;
    let now = time::OffsetDateTime::now_utc();
    bench.database.touch_host("renamed", now - Duration::from_secs(3600)).await.unwrap();
    bench.database.touch_host("here", now).await.unwrap();
    bench.reconcile();
    bench.term.take_report("here", full_report(Vec::new()));
    bench.opens().await;
    assert!(bench.routed().is_empty());
}

#[tokio::test]
async fn a_round_asks_the_engine_once_for_all_apps() {
    let bench = Bench::quiet(Duration::from_secs(20)).await;
    for number in 0..100 {
        let app = AppId::parse(&format!("app-{number}")).unwrap();
        bench.database.create_app(&app, "ann", &format!("{app}.localhost")).await.unwrap();
    }
    bench.reconcile();
    bench.opens().await;
    let looks = bench.looks.load(Ordering::SeqCst);
    assert!(looks < 50, "{looks} questions for 101 apps");
}

#[tokio::test]
async fn a_pass_that_panics_leaves_its_app_with_a_worker() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    bench.breaks.store(true, Ordering::SeqCst);
    assert_eq!(bench.push("better").await.unwrap().number(), 3);
    assert!(!bench.breaks.load(Ordering::SeqCst));
    assert_eq!(bench.routed(), ["blog_v3.web.1"]);
}

#[tokio::test]
async fn a_restart_that_is_asked_for_again_spares_what_is_new() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    bench.scale(4).await.unwrap();
    let incarnation = |found: ContainerStatus| Incarnation { container: found.name, id: found.id };
    let containers = || async { bench.deployer.containers(&bench.app).await.unwrap() };
    let before: Vec<_> = containers().await.into_iter().map(incarnation).collect();
    let hold = Duration::from_secs(60);
    let first = DeployGoal::Restart(before[..1].to_vec());
    assert_eq!(bench.term.answer(&bench.app, &first, hold).await, Some(DeployAnswer::Done));
    let between = containers().await;
    let all = DeployGoal::Restart(before);
    assert_eq!(bench.term.answer(&bench.app, &all, hold).await, Some(DeployAnswer::Done));
    let after = containers().await;
    assert_eq!(between[0].id, after[0].id, "it is new already");
    assert!((1..4).all(|number| between[number].id != after[number].id));
}

#[tokio::test]
async fn a_term_that_is_suspended_follows_reports_and_changes_nothing() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    bench.term.suspend().await;
    let goal = DeployGoal::Formation([(ProcessType::web(), 1)].into());
    assert_eq!(bench.term.answer(&bench.app, &goal, Duration::from_secs(60)).await, None);
    bench.database.scale(&bench.app, &[(ProcessType::web(), 2)].into()).await.unwrap();
    let workload = bench.workload().await;
    bench.engine.scheduler.remove(&workload.id, Duration::ZERO).await.unwrap();
    bench.routes(&[]).await;
    bench.engine.scheduler.apply(&Workload { replicas: 1, ..workload }).await.unwrap();
    bench.routes(&["blog_v2.web.1"]).await;
    assert_eq!(bench.names().await, ["blog_v2.web.1"]);
    bench.term.resume().await;
    bench.routes(&["blog_v2.web.1", "blog_v2.web.2"]).await;
}
