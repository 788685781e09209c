//! One-off commands.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bytes::Bytes;
use deis_model::{ContainerState, ContainerStatus, Job};
use deis_scheduler::{Attachment, JobOutcome, SchedulerError};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::fixture::{Fixture, raw};

/// Runs `command` as a job and answers its status and output.
pub(crate) async fn run(fixture: &Fixture, number: u32, command: &str) -> (i64, String) {
    let (outcome, printed) = with_input(fixture, &fixture.job("job", number, command), None).await;
    (outcome.expect("ran").exit_code, String::from_utf8_lossy(&printed).into_owned())
}

/// Runs `job` and answers how it ended and what it printed.
pub(crate) async fn with_input(
    fixture: &Fixture,
    job: &Job,
    input: Option<Bytes>,
) -> (Result<JobOutcome, SchedulerError>, Vec<u8>) {
    let (output, mut frames) = mpsc::channel(16);
    let attachment = Attachment { input, output, timeout: Duration::from_secs(60) };
    let read = async {
        let mut printed = Vec::new();
        while let Some(frame) = frames.recv().await {
            printed.extend_from_slice(&frame.bytes);
        }
        printed
    };
    tokio::join!(fixture.engine.scheduler.run(job, attachment), read)
}

/// A job reads its input and then its end, or as much of it as it likes.
pub(crate) async fn a_job_reads_its_input(fixture: &Fixture) {
    let large = vec![b'x'; Job::INPUT_LIMIT];
    let sum = format!("{}  -\n", hex::encode(Sha256::digest(&large)));
    let cases: [(&str, &[u8], &str); 5] = [
        ("busybox cat", b"one\ntwo", "one\ntwo"),
        ("busybox cat; echo end", b"", "end\n"),
        ("busybox sha256sum", &large, &sum),
        ("busybox head -c 3", &large, "xxx"),
        ("echo none", &large, "none\n"),
    ];
    for ((command, input, printed), number) in cases.into_iter().zip(1..) {
        let input = Bytes::copy_from_slice(input);
        let expected = match fixture.real {
            true => printed.as_bytes().to_vec(),
            false => [format!("busybox\nsh\n-c\n{command}\n").as_bytes(), &input].concat(),
        };
        let (outcome, printed) = with_input(fixture, &fixture.job("job", number, command), Some(input)).await;
        assert_eq!(outcome.expect("ran").exit_code, 0, "{command}");
        assert!(printed == expected, "{command}: {} bytes", printed.len());
    }
    let too_much = Bytes::from(vec![b'x'; Job::INPUT_LIMIT + 1]);
    let refused = with_input(fixture, &fixture.job("job", 9, "true"), Some(too_much)).await.0;
    let refused = refused.expect_err("too much").to_string();
    assert!(refused.contains("its input has 1048577 bytes"), "{refused}");
    fixture.until_gone("job").await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_killed() {
    let Some(fixture) = Fixture::docker().await else { return };
    let (output, _frames) = mpsc::channel(1000);
    let attachment = Attachment { input: None, output, timeout: Duration::from_secs(2) };
    let job = fixture.job("job", 1, "sleep 60");
    let late = fixture.engine.scheduler.run(&job, attachment).await.expect_err("too long");
    assert!(matches!(late, SchedulerError::TimedOut { seconds: 2, .. }), "{late}");
    let killed = |one: &ContainerStatus| one.state == ContainerState::Crashed;
    assert!(fixture.observe("job").await.iter().all(killed));
    fixture.until_gone("job").await;
    fixture.clean().await;
}

/// A job that reads nothing of its input, nor ends, is killed all the same.
async fn is_killed_with_input(fixture: &Fixture) {
    let (output, _frames) = mpsc::channel(1000);
    let input = Some(vec![b'x'; Job::INPUT_LIMIT].into());
    let attachment = Attachment { input, output, timeout: Duration::from_secs(4) };
    let job = fixture.job("job", 1, "sleep 600");
    let late = fixture.engine.scheduler.run(&job, attachment).await.expect_err("too long");
    assert!(matches!(late, SchedulerError::TimedOut { seconds: 4, .. }), "{late}");
    fixture.until_gone("job").await;
}

#[tokio::test]
async fn a_job_that_does_not_read_is_killed_in_time() {
    let Some(fixture) = Fixture::docker().await else { return };
    is_killed_with_input(&fixture).await;
    fixture.clean().await;
}

#[tokio::test]
async fn swarm_jobs_that_do_not_read_are_killed_in_time() {
    let Some(fixture) = Fixture::swarm().await else { return };
    is_killed_with_input(&fixture).await;
}

#[tokio::test]
async fn a_job_may_print_while_it_reads() {
    let Some(fixture) = Fixture::docker().await else { return };
    let input: Vec<u8> = (0..Job::INPUT_LIMIT).map(|index| b"0123456789abcde\n"[index % 16]).collect();
    let job = fixture.job("job", 1, "busybox cat");
    let (outcome, printed) = with_input(&fixture, &job, Some(input.clone().into())).await;
    assert_eq!(outcome.expect("ran").exit_code, 0);
    assert!(printed == input, "{} of {} bytes came back", printed.len(), input.len());
    fixture.clean().await;
}

#[tokio::test]
async fn a_job_may_print_much_while_nobody_listens() {
    let Some(fixture) = Fixture::docker().await else { return };
    let (output, frames) = mpsc::channel(1);
    drop(frames);
    let attachment = Attachment { input: None, output, timeout: Duration::from_secs(30) };
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
    let attachment = Attachment { input: None, output, timeout: Duration::from_secs(60) };
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
