//! What every adapter of the port must do. Each case runs against `memory://` and, with `DEIS_TEST_DOCKER_URL`, against
//! real engines: `docker://` there, `swarm://` on one of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fixture::{Fixture, archive};
use crate::job::a_job_reads_its_input;
use crate::trouble::what_its_host_cannot_start_has_not_crashed;
use deis_model::ContainerState;
use deis_scheduler::{Attachment, Change, SchedulerError};
use futures::StreamExt;
use tokio::sync::mpsc;

/// No grace: test containers have nothing to finish.
const NOW: Duration = Duration::ZERO;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::fixture::Fixture::memory().await).await;
            })*
        }
        mod swarm {
            $(#[tokio::test]
            async fn $name() {
                if let Some(fixture) = crate::fixture::Fixture::swarm().await {
                    super::$name(&fixture).await;
                }
            })*
        }
        mod docker {
            $(#[tokio::test]
            async fn $name() {
                if let Some(fixture) = crate::fixture::Fixture::docker().await {
                    super::$name(&fixture).await;
                    fixture.clean().await;
                }
            })*
        }
    };
}

cases!(
    containers_follow_the_workload,
    applying_again_changes_nothing,
    another_description_replaces_containers,
    a_removed_container_comes_back,
    removing_what_is_absent_is_success,
    a_missing_image_is_told,
    crashing_containers_show_their_restarts,
    what_its_host_cannot_start_has_not_crashed,
    a_job_tells_its_output_and_status,
    a_job_reads_its_input,
    changes_are_watched,
    images_are_named_listed_and_removed,
    a_build_makes_an_image,
);

async fn containers_follow_the_workload(fixture: &Fixture) {
    let scheduler = &fixture.engine.scheduler;
    scheduler.apply(&fixture.web("blog", 1, 3)).await.expect("apply");
    fixture.until_states("blog", &["web.1=up", "web.2=up", "web.3=up"]).await;
    let one = fixture.observe("blog").await.remove(0);
    assert_eq!(one.address.map(|address| address.port() > 0), Some(true));
    assert_eq!(one.fingerprint, fixture.web("blog", 1, 1).fingerprint());
    assert_eq!((one.restarts, one.out_of_memory, one.exit_code), (0, false, None));
    assert!(one.health_check.is_some() && one.started_at > 0);
    scheduler.apply(&fixture.web("blog", 1, 1)).await.expect("scale down");
    fixture.until_states("blog", &["web.1=up"]).await;
    scheduler.apply(&fixture.web("blog", 2, 1)).await.expect("another release");
    assert_eq!(fixture.observe("blog").await.len(), 2, "releases stand side by side");
    scheduler.remove(&fixture.web("blog", 1, 0).id, NOW).await.expect("remove");
    assert_eq!(fixture.observe("blog").await[0].name.workload.release.number(), 2);
}

async fn applying_again_changes_nothing(fixture: &Fixture) {
    let workload = fixture.web("blog", 1, 2);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    fixture.until_states("blog", &["web.1=up", "web.2=up"]).await;
    let before = fixture.observe("blog").await;
    fixture.engine.scheduler.apply(&workload).await.expect("apply again");
    assert_eq!(fixture.observe("blog").await, before);
}

async fn another_description_replaces_containers(fixture: &Fixture) {
    let mut workload = fixture.web("blog", 1, 1);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let before = fixture.until("blog", |one| one.state == ContainerState::Up).await;
    workload.environment.0.insert("COLOUR".to_owned(), "green".to_owned());
    fixture.engine.scheduler.apply(&workload).await.expect("apply another");
    let after = fixture
        .until("blog", |one| one.fingerprint == workload.fingerprint() && one.state == ContainerState::Up)
        .await;
    assert_eq!(fixture.observe("blog").await.len(), 1);
    assert_ne!(after.id, before.id);
}

async fn a_removed_container_comes_back(fixture: &Fixture) {
    let workload = fixture.web("blog", 1, 2);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let first = fixture.observe("blog").await.remove(0);
    fixture.engine.scheduler.remove_container(&first.name, NOW).await.expect("remove");
    fixture.until_states("blog", &["web.2=up"]).await;
    fixture.engine.scheduler.apply(&workload).await.expect("apply again");
    fixture.until_states("blog", &["web.1=up", "web.2=up"]).await;
}

async fn removing_what_is_absent_is_success(fixture: &Fixture) {
    let workload = fixture.web("nowhere", 1, 1);
    let name = fixture.job("nowhere", 1, "true").name;
    fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("absent");
    fixture.engine.scheduler.remove_container(&name, NOW).await.expect("absent");
    fixture.engine.images.remove_image("deis-test/nowhere:v1").await.expect("absent");
}

async fn a_missing_image_is_told(fixture: &Fixture) {
    let mut workload = fixture.web("blog", 1, 1);
    workload.image = "127.0.0.1:9/missing:v1".to_owned();
    let prepared = fixture.engine.scheduler.prepare(&workload.image).await.expect_err("missing");
    let applied = fixture.engine.scheduler.apply(&workload).await.expect_err("missing");
    for error in [prepared, applied] {
        assert!(
            matches!(&error, SchedulerError::NoImage { image, .. } if *image == workload.image),
            "{error}"
        );
    }
    assert!(fixture.engine.images.inspect(&workload.image).await.expect("inspect").is_none());
}

async fn crashing_containers_show_their_restarts(fixture: &Fixture) {
    let mut workload = fixture.web("blog", 1, 1);
    workload.command = crate::fixture::words(&["busybox", "sh", "-c", "exit 3"]);
    if !fixture.real {
        workload.image = "crash".to_owned();
    }
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let crashed =
        |one: &deis_model::ContainerStatus| one.state == ContainerState::Crashed && one.restarts >= 2;
    let crashed = fixture.until("blog", crashed).await;
    assert_eq!(crashed.exit_code, Some(if fixture.real { 3 } else { 1 }));
    assert_eq!(crashed.address, None);
}

async fn a_job_tells_its_output_and_status(fixture: &Fixture) {
    let (output, mut frames) = mpsc::channel(16);
    let job = fixture.job("blog", 1, "echo one; echo $GREETING; exit 7");
    let attachment = Attachment { input: None, output, timeout: Duration::from_secs(60) };
    let run = fixture.engine.scheduler.run(&job, attachment);
    let read = async {
        let mut text = String::new();
        while let Some(frame) = frames.recv().await {
            text.push_str(&String::from_utf8_lossy(&frame.bytes));
        }
        text
    };
    let (outcome, text) = tokio::join!(run, read);
    let expected = if fixture.real {
        (7, "one\nhello\n")
    } else {
        (0, "busybox\nsh\n-c\necho one; echo $GREETING; exit 7\n")
    };
    assert_eq!((outcome.expect("ran").exit_code, text.as_str()), expected);
    fixture.until_gone("blog").await;
}

async fn changes_are_watched(fixture: &Fixture) {
    let mut changes = fixture.engine.scheduler.watch();
    let workload = fixture.web("blog", 1, 1);
    for step in 0..2 {
        match step {
            0 => fixture.engine.scheduler.apply(&workload).await.expect("apply"),
            _ => fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("remove"),
        }
        let change = tokio::time::timeout(Duration::from_secs(60), changes.next()).await.expect("in time");
        assert_eq!(change, Some(Change::App(fixture.app("blog"))));
    }
}

async fn images_are_named_listed_and_removed(fixture: &Fixture) {
    let images = &fixture.engine.images;
    let (first, second) = (fixture.app("img").to_string() + ":v1", fixture.app("img").to_string() + ":v2");
    let label = format!("io.deis.test={first}");
    let changes = [format!("LABEL {label}"), "ENV COLOUR=green".to_owned(), "EXPOSE 5000".to_owned()];
    images.import(&first, archive(&[("hello", 0o644, b"hello")]), &changes).await.expect("import");
    let facts = images.inspect(&first).await.expect("inspect").expect("present");
    assert_eq!(facts.environment.0["COLOUR"], "green");
    assert_eq!(facts.ports, [5000]);
    images.tag(&first, &second).await.expect("tag");
    assert_eq!(images.list(&label).await.expect("list"), [first.clone(), second.clone()]);
    assert_eq!(images.list("io.deis.test=other").await.expect("list"), Vec::<String>::new());
    for image in [&first, &second] {
        images.remove_image(image).await.expect("remove");
        assert_eq!(images.inspect(image).await.expect("inspect"), None);
    }
    let unknown = images.tag(&first, &second).await.expect_err("gone");
    assert!(matches!(unknown, SchedulerError::NoImage { .. }), "{unknown}");
}

async fn a_build_makes_an_image(fixture: &Fixture) {
    let image = fixture.app("built").to_string() + ":v1";
    let dockerfile = format!("FROM {}\nRUN echo built it\n", fixture.image);
    let labels = BTreeMap::from([("io.deis.app".to_owned(), "built".to_owned())]);
    let (progress, lines) = mpsc::channel(1000);
    let context = archive(&[("Dockerfile", 0o644, dockerfile.as_bytes())]);
    let built = fixture.engine.images.build(&image, context, &Default::default(), &labels, progress).await;
    built.expect("build");
    let lines = told(lines).await;
    assert!(lines.iter().any(|line| line.starts_with("Step 1/")), "{lines:?}");
    assert!(fixture.engine.images.inspect(&image).await.expect("inspect").is_some());
    fixture.engine.images.remove_image(&image).await.expect("remove");
}

async fn told(mut lines: mpsc::Receiver<String>) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(line) = lines.recv().await {
        all.push(line);
    }
    all
}
