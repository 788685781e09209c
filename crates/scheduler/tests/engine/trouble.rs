//! What keeps containers from running is told by every engine, so that people read it.

use std::time::Duration;

use deis_model::{ContainerState, ContainerStatus, HostAccess, Job, Limits, Mount, Workload};
use deis_scheduler::{Attachment, SchedulerError};
use tokio::sync::mpsc;

use crate::fixture::{Fixture, archive, unique};

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
    let attachment = Attachment { input: None, output, timeout: Duration::from_secs(100) };
    fixture.engine.scheduler.run(job, attachment).await.expect_err("it cannot run")
}

/// A container whose host cannot start it for the moment is in trouble, which is told, and starts when that has passed.
/// An engine that starts containers itself is asked again; one that has others do it goes on by itself.
pub(crate) async fn what_its_host_cannot_start_has_not_crashed(fixture: &Fixture) {
    let obstacle = std::env::temp_dir().join(format!("deis-{}", unique("obstacle")));
    std::fs::write(&obstacle, "no folder").expect("write");
    let workload = hindered(fixture, &obstacle.join("folder").display().to_string());
    let refused = fixture.engine.scheduler.apply(&workload).await.err();
    match &refused {
        Some(error) => assert!(error.may_pass(), "{error}"),
        None => {
            fixture.until("blog", |one| one.trouble.is_some()).await;
        }
    }
    for one in fixture.observe("blog").await {
        assert_eq!((one.state, one.restarts, one.exit_code), (ContainerState::Created, 0, None), "{one:?}");
    }
    std::fs::remove_file(&obstacle).expect("remove");
    std::fs::create_dir_all(obstacle.join("folder")).expect("make");
    fixture.engine.scheduler.apply(&workload).await.expect("apply again");
    let one: ContainerStatus = fixture.until("blog", |one| one.state == ContainerState::Up).await;
    assert_eq!((one.restarts, one.trouble), (0, None));
    fixture.engine.scheduler.remove(&workload.id, Duration::ZERO).await.expect("remove");
    std::fs::remove_dir_all(&obstacle).expect("remove");
}

/// A workload that cannot start before `folder` can be mounted.
fn hindered(fixture: &Fixture, folder: &str) -> Workload {
    let workload = fixture.web("blog", 1, 1);
    if !fixture.real {
        return Workload { image: "reluctant".to_owned(), ..workload };
    }
    let mount = Mount { source: folder.to_owned(), target: "/mnt".to_owned(), read_only: true };
    Workload { host: Some(HostAccess { mounts: vec![mount], ..HostAccess::default() }), ..workload }
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
