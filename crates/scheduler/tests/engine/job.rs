//! One-off commands.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use deis_model::{ContainerState, ContainerStatus};
use deis_scheduler::{Attachment, SchedulerError};
use tokio::sync::mpsc;

use crate::fixture::{Fixture, raw};

/// Runs `command` as a job and answers its status and output.
pub(crate) async fn run(fixture: &Fixture, number: u32, command: &str) -> (i64, String) {
    let (output, mut frames) = mpsc::channel(1000);
    let attachment = Attachment { output, timeout: Duration::from_secs(60) };
    let outcome = fixture.engine.scheduler.run(&fixture.job("job", number, command), attachment).await;
    let mut text = String::new();
    while let Some(frame) = frames.recv().await {
        text.push_str(&String::from_utf8_lossy(&frame.bytes));
    }
    (outcome.expect("ran").exit_code, text)
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_killed() {
    let Some(fixture) = Fixture::docker().await else { return };
    let (output, _frames) = mpsc::channel(1000);
    let attachment = Attachment { output, timeout: Duration::from_secs(2) };
    let job = fixture.job("job", 1, "sleep 60");
    let late = fixture.engine.scheduler.run(&job, attachment).await.expect_err("too long");
    assert!(matches!(late, SchedulerError::TimedOut { seconds: 2, .. }), "{late}");
    let killed = |one: &ContainerStatus| one.state == ContainerState::Crashed;
    assert!(fixture.observe("job").await.iter().all(killed));
    fixture.until_gone("job").await;
    fixture.clean().await;
}

#[tokio::test]
async fn a_job_may_print_much_while_nobody_listens() {
    let Some(fixture) = Fixture::docker().await else { return };
    let (output, frames) = mpsc::channel(1);
    drop(frames);
    let attachment = Attachment { output, timeout: Duration::from_secs(30) };
    let job = fixture.job("job", 1, "busybox seq 100000");
    let outcome = fixture.engine.scheduler.run(&job, attachment).await.expect("ran");
    assert_eq!(outcome.exit_code, 0);
    let (status, text) = run(&fixture, 2, "busybox seq 20000").await;
    assert_eq!((status, text.lines().count(), text.lines().last()), (0, 20000, Some("20000")));
    fixture.clean().await;
}

#[tokio::test]
async fn jobs_that_somebody_may_wait_for_are_not_swept() {
    let Some(fixture) = Fixture::docker().await else { return };
    let job = fixture.job("job", 1, "sleep 60");
    let (output, _frames) = mpsc::channel(1);
    let scheduler = fixture.engine.scheduler.clone();
    let attachment = Attachment { output, timeout: Duration::from_secs(60) };
    let waiting = tokio::spawn(async move { scheduler.run(&job, attachment).await.map(drop) });
    fixture.until("job", |one| one.state == ContainerState::Up).await;
    assert_eq!(fixture.engine.scheduler.sweep_jobs().await.expect("sweep"), 0);
    waiting.abort();
    fixture.clean().await;
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_any_more_is_swept() {
    let Some(fixture) = Fixture::docker().await else { return };
    let name = fixture.job("job", 1, "").name;
    let labels = [
        ("io.deis.platform", fixture.platform.clone()),
        ("io.deis.app", name.workload.app.to_string()),
        ("io.deis.release", "v1".to_owned()),
        ("io.deis.process", "run".to_owned()),
        ("io.deis.number", "1".to_owned()),
        ("io.deis.deadline", "1000".to_owned()),
    ];
    let body = ContainerCreateBody {
        image: Some(fixture.image.clone()),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
        ..Default::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(&fixture.engine_name(&name)).build();
    raw().await.create_container(Some(options), body).await.expect("create");
    assert_eq!(fixture.observe("job").await.len(), 1);
    assert_eq!(fixture.engine.scheduler.sweep_jobs().await.expect("sweep"), 1);
    assert!(fixture.observe("job").await.is_empty());
    fixture.clean().await;
}
