//! What `docker://` must do besides: keep platforms, apps and secrets apart, and finish what was begun.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use deis_model::{ContainerName, Environment, Workload};
use deis_scheduler::{Attachment, BuildContainer, OutputFrame, SchedulerError};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::fixture::{Fixture, archive, words};

const NOW: Duration = Duration::ZERO;

fn raw() -> bollard::Docker {
    bollard::Docker::connect_with_unix("/var/run/docker.sock", 60, bollard::API_DEFAULT_VERSION)
        .expect("connect")
}

async fn raw_negotiated() -> bollard::Docker {
    raw().negotiate_version().await.expect("negotiate")
}

fn first(workload: &Workload) -> ContainerName {
    ContainerName { workload: workload.id.clone(), number: 1 }
}

/// Runs `command` as a job and answers its status and output.
async fn run(fixture: &Fixture, number: u32, command: &str) -> (i64, String) {
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
async fn the_environment_of_a_build_is_not_in_its_image() {
    let Some(fixture) = Fixture::docker().await else { return };
    let target = fixture.app("built").to_string() + ":v1";
    let build = BuildContainer {
        base: fixture.image.clone(),
        command: ["busybox", "sh", "-c", "busybox cat /in; echo ${#TOKEN} > /length; echo done"]
            .map(str::to_owned)
            .into(),
        user: None,
        environment: Environment([("TOKEN".to_owned(), "s3cr3t-value".to_owned())].into()),
        files: archive(&[("in", 0o644, b"input\n")]),
        mounts: [].into(),
        labels: [("io.deis.app".to_owned(), "built".to_owned())].into(),
        memory_bytes: Some(256 << 20),
        timeout: Duration::from_secs(60),
        target: target.clone(),
        changes: vec![
            "ENV GIT_SHA=abc".to_owned(),
            "ENTRYPOINT [\"/start\"]".to_owned(),
            "LABEL io.deis.kind=slug".to_owned(),
        ],
    };
    let (progress, mut lines) = mpsc::channel(1000);
    let outcome = fixture.engine.images.build_in(build, progress).await.expect("build");
    assert_eq!((outcome.exit_code, outcome.out_of_memory), (0, false));
    let mut told = Vec::new();
    while let Some(line) = lines.recv().await {
        told.push(line);
    }
    assert_eq!(told, ["input", "done"]);
    let facts = fixture.engine.images.inspect(&target).await.expect("inspect").expect("made");
    assert_eq!(facts.environment.0.keys().collect::<Vec<_>>(), ["BASE", "GIT_SHA", "PATH"]);
    let engine = raw_negotiated().await;
    // The archive of the image holds its configuration and history as they are pushed.
    let mut archive = Vec::new();
    let mut pieces = std::pin::pin!(engine.export_image(&target));
    while let Some(piece) = pieces.next().await {
        archive.extend_from_slice(&piece.expect("export"));
    }
    let configuration = configuration(&archive);
    for secret in ["TOKEN", "s3cr3t-value"] {
        assert!(!configuration.contains(secret), "{configuration}");
    }
    assert!(configuration.contains(r#""Entrypoint":["/start"]"#), "{configuration}");
    assert!(configuration.contains(r#""io.deis.build":"""#), "no label makes it a build: {configuration}");
    fixture.engine.images.remove_image(&target).await.expect("remove");
    fixture.clean().await;
}

/// The JSON files of an image's archive.
fn configuration(archive: &[u8]) -> String {
    let mut text = String::new();
    for entry in tar::Archive::new(archive).entries().expect("a tar archive") {
        let mut entry = entry.expect("entry");
        if entry.path().expect("path").to_string_lossy().contains("json") {
            std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
        }
    }
    text
}

#[tokio::test]
async fn a_failing_build_makes_no_image_and_leaves_no_container() {
    let Some(fixture) = Fixture::docker().await else { return };
    let image = fixture.app("broken").to_string() + ":v1";
    let dockerfile = format!("FROM {}\nRUN echo WARNING: advice; false\n", fixture.image);
    let (progress, mut lines) = mpsc::channel(1000);
    let context = archive(&[("Dockerfile", 0o644, dockerfile.as_bytes())]);
    let images = &fixture.engine.images;
    let failed = images.build(&image, context, &Environment::default(), &[].into(), progress).await;
    let failed = failed.expect_err("the step fails").to_string();
    assert!(failed.contains("returned a non-zero code: 1"), "{failed}");
    while let Some(line) = lines.recv().await {
        assert!(!line.starts_with("WARNING"), "{line}");
    }
    assert!(images.inspect(&image).await.expect("inspect").is_none());
    fixture.clean().await;
}

#[tokio::test]
async fn a_foreign_container_of_the_same_name_is_left_alone() {
    let Some(fixture) = Fixture::docker().await else { return };
    let workload = fixture.web("blog", 1, 1);
    let name = first(&workload).to_string();
    let engine = raw_negotiated().await;
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    let body = ContainerCreateBody { image: Some(fixture.image.clone()), ..Default::default() };
    let foreign = engine.create_container(Some(options), body).await.expect("create").id;
    let refused = fixture.engine.scheduler.apply(&workload).await.expect_err("the name is taken").to_string();
    assert!(refused.contains("held by a container that is not this platform's"), "{refused}");
    fixture.engine.scheduler.remove_container(&first(&workload), NOW).await.expect("nothing of ours");
    fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("nothing of ours");
    assert!(fixture.observe("blog").await.is_empty());
    engine.inspect_container(&foreign, None).await.expect("still there");
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    engine.remove_container(&foreign, Some(options)).await.expect("remove");
    fixture.clean().await;
}

#[tokio::test]
async fn an_image_cannot_pretend_to_be_another_apps_container() {
    let Some(fixture) = Fixture::docker().await else { return };
    let image = fixture.app("evil").to_string() + ":v1";
    let labels = [
        format!("LABEL io.deis.platform={}", fixture.platform),
        "LABEL io.deis.app=victim io.deis.release=v1 io.deis.process=web io.deis.number=1".to_owned(),
        "LABEL io.deis.port=22 io.deis.health={}".to_owned(),
    ];
    fixture.engine.images.import(&image, archive(&[("x", 0o644, b"x")]), &labels).await.expect("import");
    let engine = raw_negotiated().await;
    let body = ContainerCreateBody {
        image: Some(image.clone()),
        cmd: Some(vec!["/x".to_owned()]),
        ..Default::default()
    };
    let made = engine.create_container(None, body).await.expect("create").id;
    assert!(fixture.engine.scheduler.observe(None).await.expect("observe").is_empty());
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    engine.remove_container(&made, Some(options)).await.expect("remove");
    let workload =
        Workload { image: image.clone(), port: None, health_check: None, ..fixture.web("evil", 1, 1) };
    fixture.engine.scheduler.apply(&workload).await.ok();
    let seen = fixture.observe("evil").await.remove(0);
    assert_eq!((seen.address, seen.health_check), (None, None), "labels of the image do not show through");
    fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("remove");
    fixture.engine.images.remove_image(&image).await.expect("remove");
    fixture.clean().await;
}

#[tokio::test]
async fn platforms_on_one_engine_do_not_see_each_other() {
    let (Some(one), Some(other)) = (Fixture::docker().await, Fixture::docker().await) else { return };
    let workload = one.web("blog", 1, 1);
    one.engine.scheduler.apply(&workload).await.expect("apply");
    assert!(other.engine.scheduler.observe(None).await.expect("observe").is_empty());
    other.engine.scheduler.remove(&workload.id, NOW).await.expect("nothing of its own");
    assert_eq!(one.states("blog").await, ["web.1=up"]);
    let refused = other.engine.scheduler.apply(&workload).await.expect_err("the name is taken");
    assert!(matches!(refused, SchedulerError::Engine { .. }), "{refused}");
    one.clean().await;
}

#[tokio::test]
async fn the_host_reaches_apps_but_apps_do_not_reach_each_other() {
    let Some(fixture) = Fixture::docker().await else { return };
    fixture.engine.scheduler.apply(&fixture.web("blog", 1, 1)).await.expect("apply");
    let address = fixture.observe("blog").await.remove(0).address.expect("up");
    assert_eq!(get(address).await.split(' ').nth(1), Some("200"));
    let connect = format!("busybox nc -w 2 {} {} < /dev/null", address.ip(), address.port());
    let (status, text) = run(&fixture, 1, &connect).await;
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("timed out"), "{text}");
    fixture.clean().await;
}

/// Asks an app for a file that it has, until it serves.
async fn get(address: std::net::SocketAddr) -> String {
    for _ in 0..100 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
            stream.write_all(b"GET /etc/hostname HTTP/1.0\r\n\r\n").await.expect("write");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("read");
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{address} does not accept");
}

#[tokio::test]
async fn what_was_made_but_not_started_is_finished() {
    let Some(fixture) = Fixture::docker().await else { return };
    let workload = fixture.web("blog", 1, 1);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let id = fixture.observe("blog").await.remove(0).id;
    raw_negotiated().await.stop_container(&id, None).await.expect("stop");
    fixture.until("blog", |one| one.state == deis_model::ContainerState::Crashed).await;
    fixture.engine.scheduler.apply(&workload).await.expect("apply again");
    let again = fixture.observe("blog").await.remove(0);
    assert_eq!((again.id, again.state), (id, deis_model::ContainerState::Up));
    fixture.clean().await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_killed() {
    let Some(fixture) = Fixture::docker().await else { return };
    let (output, _frames) = mpsc::channel(1000);
    let attachment = Attachment { output, timeout: Duration::from_secs(2) };
    let job = fixture.job("job", 1, "sleep 60");
    let late = fixture.engine.scheduler.run(&job, attachment).await.expect_err("too long");
    assert!(matches!(late, SchedulerError::TimedOut { seconds: 2, .. }), "{late}");
    let killed = |one: &deis_model::ContainerStatus| one.state == deis_model::ContainerState::Crashed;
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
async fn memory_beyond_the_limit_is_told() {
    let Some(fixture) = Fixture::docker().await else { return };
    let mut workload = fixture.web("hungry", 1, 1);
    workload.limits.memory_bytes = Some(16 << 20);
    workload.command = words(&["busybox", "sh", "-c", "sleep 1; busybox tail -c 100000000 /dev/zero"]);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let killed = fixture.until("hungry", |one| one.restarts >= 1 && one.exit_code.is_some()).await;
    assert_eq!((killed.exit_code, killed.out_of_memory), (Some(137), true));
    fixture.clean().await;
}

#[tokio::test]
async fn output_is_followed_from_a_position_and_ends_with_the_container() {
    let Some(fixture) = Fixture::docker().await else { return };
    let mut workload = fixture.web("talker", 1, 1);
    let script = "for i in 1 2 3; do echo line $i; sleep 0.2; done; echo oops >&2; busybox head -c 40000 /dev/zero | busybox tr '\\0' x; echo; sleep 60";
    workload.command = words(&["busybox", "sh", "-c", script]);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let id = fixture.observe("talker").await.remove(0).id;
    let output = &fixture.engine.output;
    let frames: Vec<OutputFrame> = output
        .follow(&id, 0)
        .await
        .expect("follow")
        .take(7)
        .map(|frame| frame.expect("frame"))
        .collect()
        .await;
    let texts: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(&frame.bytes)).collect();
    assert_eq!(texts[..4], ["line 1", "line 2", "line 3", "oops"]);
    let long: Vec<_> = texts[4..].iter().map(|text| text.len()).collect();
    assert_eq!(long, [16384, 16384, 40000 - 2 * 16384], "a long line comes in parts");
    assert!(frames.windows(2).all(|pair| pair[0].timestamp <= pair[1].timestamp), "in order");
    let later: Vec<_> =
        output.follow(&id, frames[1].timestamp).await.expect("follow").take(1).collect().await;
    assert_eq!(later[0].as_ref().expect("frame"), &frames[2]);
    assert_eq!(output.tail(&id, 2).await.expect("tail").len(), 2);
    let follow = output.follow(&id, frames[6].timestamp).await.expect("follow");
    fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("remove");
    assert!(follow.collect::<Vec<_>>().await.iter().all(Result::is_ok), "removal ends it without a failure");
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
    fixture.until("job", |one| one.state == deis_model::ContainerState::Up).await;
    assert_eq!(fixture.engine.scheduler.sweep_jobs().await.expect("sweep"), 0);
    waiting.abort();
    fixture.clean().await;
}
