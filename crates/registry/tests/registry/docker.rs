//! The Docker Engine as client. Needs `DEIS_TEST_DOCKER_URL` and the `docker` command.

use crate::client::{PASSWORD, TestRegistry, USERNAME};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// The `docker` command with an engine and a configuration of its own, logged in to nothing.
struct Docker {
    /// Where the engine listens, if not where the command looks by itself.
    host: Option<String>,
    config: tempfile::TempDir,
}

impl Docker {
    /// Nothing where no engine is named.
    fn open() -> Option<Self> {
        let url = std::env::var("DEIS_TEST_DOCKER_URL").ok();
        if url.is_none() {
            eprintln!("skipped: DEIS_TEST_DOCKER_URL names no Docker Engine");
        }
        Some(Self { host: host(&url?), config: tempfile::tempdir().unwrap() })
    }

    /// Runs the command, and gives whether it succeeded and what it printed.
    async fn try_run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("docker");
        command.args(self.host.iter().flat_map(|host| ["--host", host]));
        command.arg("--config").arg(self.config.path()).args(arguments);
        let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output())
            .await
            .unwrap()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text.into_owned())
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let (success, text) = self.try_run(arguments).await;
        assert!(success, "docker {arguments:?}: {text}");
        text
    }

    async fn login(&self, registry: &TestRegistry) {
        self.run(&["login", "-u", USERNAME, "-p", PASSWORD, &registry.address.to_string()]).await;
    }

    /// Makes an image of one layer of `megabytes`.
    async fn import(&self, image: &str, megabytes: usize) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("content"), noise(megabytes << 20)).unwrap();
        let archive = folder.path().join("image.tar");
        assert!(tar(folder.path(), &archive), "tar failed");
        self.run(&["import", archive.to_str().unwrap(), image]).await;
    }
}

/// `docker:///path` and `unix:///path` name a socket; `docker://` leaves it to the command.
fn host(url: &str) -> Option<String> {
    let path = url.split_once("://").map_or("", |(_, path)| path);
    (!path.is_empty()).then(|| format!("unix://{path}"))
}

fn tar(folder: &Path, archive: &Path) -> bool {
    let tar = Command::new("tar").arg("-C").arg(folder).arg("-cf").arg(archive).arg("content").status();
    tar.unwrap().success()
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = u64::from(std::process::id()) + 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

async fn start() -> (tempfile::TempDir, TestRegistry) {
    let directory = tempfile::tempdir().unwrap();
    let store = deis_store::open(&format!("file://{}", directory.path().display())).await.unwrap();
    (directory, TestRegistry::start_with(store, deis_registry::Limits::default()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_pulls_what_it_pushed() {
    let Some(docker) = Docker::open() else { return };
    let (_directory, registry) = start().await;
    let image = format!("{}/deis/pushed:v1", registry.address);
    docker.import(&image, 30).await;
    docker.login(&registry).await;
    docker.run(&["push", &image]).await;
    let id = docker.run(&["image", "inspect", "--format", "{{.Id}}", &image]).await;
    docker.run(&["image", "rm", &image]).await;
    assert!(!docker.try_run(&["image", "inspect", &image]).await.0);
    docker.run(&["pull", &image]).await;
    assert_eq!(docker.run(&["image", "inspect", "--format", "{{.Id}}", &image]).await, id);
    docker.run(&["image", "rm", &image]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_mounts_layers_of_another_repository() {
    let Some(docker) = Docker::open() else { return };
    let (_directory, registry) = start().await;
    let (first, second) =
        (format!("{}/deis/first:v1", registry.address), format!("{}/deis/second:v1", registry.address));
    docker.import(&first, 1).await;
    docker.login(&registry).await;
    docker.run(&["push", &first]).await;
    docker.run(&["tag", &first, &second]).await;
    let pushed = docker.run(&["push", &second]).await;
    assert!(pushed.contains("Mounted from deis/first"), "{pushed}");
    docker.run(&["image", "rm", &first, &second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_is_refused_without_credentials() {
    let Some(docker) = Docker::open() else { return };
    let (_directory, registry) = start().await;
    let image = format!("{}/deis/refused:v1", registry.address);
    docker.import(&image, 1).await;
    let (pushed, text) = docker.try_run(&["push", &image]).await;
    assert!(!pushed && text.contains("no basic auth credentials"), "{text}");
    let (logged_in, text) =
        docker.try_run(&["login", "-u", USERNAME, "-p", "wrong", &registry.address.to_string()]).await;
    assert!(!logged_in && text.contains("401 Unauthorized"), "{text}");
    docker.run(&["image", "rm", &image]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_says_what_a_full_store_is() {
    let Some(docker) = Docker::open() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory.path()).status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    }
    let store = deis_store::open(&format!("file://{}", directory.path().display())).await.unwrap();
    let registry = TestRegistry::start_with(store, deis_registry::Limits::default()).await;
    let image = format!("{}/deis/large:v1", registry.address);
    docker.import(&image, 3).await;
    docker.login(&registry).await;
    let (pushed, text) = docker.try_run(&["push", &image]).await;
    assert!(!pushed && text.contains("507 no space left on device"), "{text}");
    docker.run(&["image", "rm", &image]).await;
    drop(registry);
    Command::new("umount").arg("--lazy").arg(directory.path()).status().unwrap();
}
