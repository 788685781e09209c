//! What keeps containers from running is told by every engine, so that people read it.

use std::time::Duration;

use deis_model::{ContainerState, Job, Limits, Workload};
use deis_scheduler::{Attachment, SchedulerError};
use tokio::sync::mpsc;

use crate::fixture::{Fixture, archive};

const MISSING: &str = "127.0.0.1:9/nobody:v1";

/// What engines say of the image that [`faulty`] makes.
const FAULT: &str = "unable to find user nobody-is-this";

/// An image of which every container can be made and none started.
async fn faulty(fixture: &Fixture) -> String {
    let image = format!("127.0.0.1:9/{}:v1", fixture.platform);
    let root = archive(&[("etc/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\n")]);
    let changes = ["USER nobody-is-this".to_owned(), "CMD [\"sh\"]".to_owned()];
    fixture.engine.images.import(&image, root, &changes).await.expect("import");
    image
}

async fn refused(fixture: &Fixture, job: &Job) -> SchedulerError {
    let (output, _frames) = mpsc::channel(100);
    let attachment = Attachment { output, timeout: Duration::from_secs(100) };
    fixture.engine.scheduler.run(job, attachment).await.expect_err("it cannot run")
}

/// Jobs that cannot start fail with the engine's reason.
async fn jobs_say_why(fixture: &Fixture) {
    let missing = Job { image: MISSING.to_owned(), ..fixture.job("job", 1, "true") };
    let error = refused(fixture, &missing).await;
    assert!(matches!(&error, SchedulerError::NoImage { image, .. } if image == MISSING), "{error}");
    let image = faulty(fixture).await;
    let error =
        refused(fixture, &Job { image: image.clone(), ..fixture.job("job", 2, "true") }).await.to_string();
    assert!(error.starts_with("failed to start container ") && error.contains(FAULT), "{error}");
    fixture.until_gone("job").await;
    fixture.engine.images.remove_image(&image).await.expect("remove");
}

#[tokio::test]
async fn docker_jobs_that_cannot_start_say_why() {
    let Some(fixture) = Fixture::docker().await else { return };
    jobs_say_why(&fixture).await;
    fixture.clean().await;
}

#[tokio::test]
async fn swarm_jobs_that_cannot_start_say_why() {
    let Some(fixture) = Fixture::swarm().await else { return };
    jobs_say_why(&fixture).await;
    let limits = Limits { memory_bytes: Some(1 << 50), ..Limits::default() };
    let error = refused(&fixture, &Job { limits, ..fixture.job("job", 3, "true") }).await.to_string();
    assert!(error.contains("no host can take it (insufficient resources"), "{error}");
    fixture.clean().await;
}

#[tokio::test]
async fn swarm_containers_that_cannot_start_say_why() {
    let Some(fixture) = Fixture::swarm().await else { return };
    let faulty = Workload { image: faulty(&fixture).await, ..fixture.web("faulty", 1, 1) };
    let limits = Limits { memory_bytes: Some(1 << 50), ..Limits::default() };
    let large = Workload { limits, ..fixture.web("large", 1, 1) };
    for (app, workload, expected) in
        [("faulty", faulty, FAULT), ("large", large, "no host can take it (insufficient resources")]
    {
        fixture.engine.scheduler.apply(&workload).await.expect("the engine accepts it");
        let says = |trouble: &str| trouble.contains(expected);
        let one = fixture.until(app, |one| one.trouble.as_deref().is_some_and(says)).await;
        assert_ne!(one.state, ContainerState::Up);
        fixture.engine.scheduler.remove(&workload.id, Duration::ZERO).await.expect("remove");
    }
    let well = fixture.web("well", 1, 1);
    fixture.engine.scheduler.apply(&well).await.expect("apply");
    let one = fixture.until("well", |one| one.state == ContainerState::Up).await;
    assert_eq!(one.trouble, None);
    fixture.clean().await;
}
