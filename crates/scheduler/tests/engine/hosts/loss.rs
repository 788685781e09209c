//! What becomes of containers and jobs when their host, or the one that leads, is lost.

use std::time::{Duration, Instant};

use deis_model::{ContainerState, Job};
use deis_scheduler::{Attachment, HostState, OutputFrame};
use tokio::sync::mpsc;

use crate::cluster::Fleet;

#[tokio::test]
async fn swarm_containers_outlive_the_host_that_led() {
    let Some(fleet) = Fleet::three().await else { return };
    fleet.engines[0].scheduler.apply(&fleet.web("blog", 3)).await.expect("apply");
    fleet.until_up(0, "blog", 3).await;
    let leader = fleet.leader(0).await;
    let other = (leader + 1) % 3;
    let job = fleet.job("sleep 40; echo done");
    let (output, mut frames) = mpsc::channel(100);
    let attachment = Attachment { input: None, output, timeout: Duration::from_secs(120) };
    let began = Instant::now();
    let run = async {
        let scheduler = &fleet.engines[other].scheduler;
        scheduler.run(&Job { tags: [("job".to_owned(), "yes".to_owned())].into(), ..job }, attachment).await
    };
    let host = &fleet.names[other];
    fleet.cluster(other).label(host, "job", Some("yes")).await.expect("label");
    let fail = async {
        fleet.until_up(other, "job", 1).await;
        fleet.kill(leader);
        let killed = Instant::now();
        fleet.until_up(other, "blog", 3).await;
        eprintln!("the leader's containers run elsewhere after {:?}", killed.elapsed());
    };
    let (outcome, ()) = tokio::join!(run, fail);
    eprintln!("the job ended after {:?}", began.elapsed());
    let printed = text(&mut frames);
    match outcome {
        Ok(outcome) => {
            assert_eq!((outcome.exit_code, printed.as_str()), (0, "done\n"), "it ran once, and all was told")
        }
        // A host that does not find the next leader in time passes for lost: Swarm ends the job, and nobody starts it again.
        Err(error) => {
            assert!(error.to_string().contains("the cluster ended it"), "{error}");
            assert_eq!(printed, "");
        }
    }
}

#[tokio::test]
async fn swarm_jobs_on_a_lost_host_end_and_never_run_again() {
    let Some(fleet) = Fleet::three().await else { return };
    let leader = fleet.leader(0).await;
    let lost = (leader + 1) % 3;
    fleet.cluster(leader).label(&fleet.names[lost], "job", Some("yes")).await.expect("label");
    let (output, _frames) = mpsc::channel(100);
    let attachment = Attachment { input: None, output, timeout: Duration::from_secs(120) };
    let job = Job { tags: [("job".to_owned(), "yes".to_owned())].into(), ..fleet.job("sleep 300") };
    let run = fleet.engines[leader].scheduler.run(&job, attachment);
    let fail = async {
        fleet.until_up(leader, "job", 1).await;
        fleet.kill(lost);
    };
    let (outcome, ()) = tokio::join!(run, fail);
    let error = outcome.expect_err("its host was lost").to_string();
    assert!(error.contains("was lost; it is not started again"), "{error}");
    assert!(fleet.observe(leader, "job").await.is_empty(), "nothing is left to be started");
    fleet.lab.as_ref().expect("real hosts").revive(lost);
    fleet.until_seen(leader, &fleet.names[lost], |host| host.state == HostState::Ready).await;
    let local = fleet.local(lost).await;
    let seen = local.scheduler.observe(None).await.expect("observe");
    assert!(seen.iter().all(|one| one.state != ContainerState::Up), "{seen:?}");
}

#[tokio::test]
async fn swarm_containers_that_only_a_lost_host_may_have_say_so() {
    let Some(fleet) = Fleet::three().await else { return };
    let leader = fleet.leader(0).await;
    let lost = (leader + 1) % 3;
    fleet.cluster(leader).label(&fleet.names[lost], "disk", Some("ssd")).await.expect("label");
    let mut workload = fleet.web("blog", 1);
    workload.tags.insert("disk".to_owned(), "ssd".to_owned());
    fleet.engines[leader].scheduler.apply(&workload).await.expect("apply");
    fleet.until_up(leader, "blog", 1).await;
    fleet.kill(lost);
    let says = |trouble: &str| trouble.starts_with("no host can take it");
    fleet.until_all(leader, "blog", |one| one.trouble.as_deref().is_some_and(says)).await;
    let seen = fleet.observe(leader, "blog").await;
    assert!(seen.iter().all(|one| one.state != ContainerState::Up && one.address.is_none()), "{seen:?}");
}

/// What a job has printed.
pub(super) fn text(frames: &mut mpsc::Receiver<OutputFrame>) -> String {
    let mut text = String::new();
    while let Ok(frame) = frames.try_recv() {
        text.push_str(&String::from_utf8_lossy(&frame.bytes));
    }
    text
}
