//! Images that builds make: nothing of the build's environment, nothing at all of a failed one.

use std::time::Duration;

use deis_model::Environment;
use deis_scheduler::BuildContainer;
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::fixture::{Fixture, archive, raw};

#[tokio::test]
async fn the_environment_of_a_build_is_not_in_its_image() {
    let Some(fixture) = Fixture::docker().await else { return };
    let target = fixture.app("built").to_string() + ":v1";
    let mut build = build(&fixture, &target, "busybox cat /in; echo ${#TOKEN} > /length; echo done");
    build.changes =
        ["ENV GIT_SHA=abc", "ENTRYPOINT [\"/start\"]", "LABEL io.deis.kind=slug"].map(str::to_owned).into();
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
    let engine = raw().await;
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

#[tokio::test]
async fn what_a_build_keeps_is_there_for_the_next_until_it_is_removed() {
    let Some(fixture) = Fixture::docker().await else { return };
    let (target, images) = (fixture.app("kept").to_string() + ":v1", &fixture.engine.images);
    let name = fixture.app("kept").to_string();
    for exit_code in [1, 0] {
        let mut build =
            build(&fixture, &target, "busybox cat /kept/note && exit; echo note > /kept/note; exit 1");
        build.volumes = [(name.clone(), "/kept".into())].into();
        let (progress, _lines) = mpsc::channel(1000);
        let outcome = images.build_in(build, progress).await.expect("build");
        assert_eq!(outcome.exit_code, exit_code);
    }
    assert!(images.volumes().await.expect("list").contains(&name));
    for _ in 0..2 {
        images.remove_volume(&name).await.expect("remove");
        assert!(!images.volumes().await.expect("list").contains(&name));
    }
    images.remove_image(&target).await.expect("remove");
    fixture.clean().await;
}

/// A build in the shell that makes `target`.
fn build(fixture: &Fixture, target: &str, command: &str) -> BuildContainer {
    BuildContainer {
        base: fixture.image.clone(),
        command: ["busybox", "sh", "-c", command].map(str::to_owned).into(),
        user: None,
        environment: Environment([("TOKEN".to_owned(), "s3cr3t-value".to_owned())].into()),
        files: archive(&[("in", 0o644, b"input\n")]),
        volumes: [].into(),
        labels: [("io.deis.app".to_owned(), "built".to_owned())].into(),
        memory_bytes: Some(256 << 20),
        timeout: Duration::from_secs(60),
        target: target.to_owned(),
        changes: vec!["ENV GIT_SHA=abc".to_owned()],
    }
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
