//! Making images, and telling about them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use deis_model::Environment;

use crate::SchedulerError;

/// Lines of progress for a human, in order, without line ends.
pub type Progress = mpsc::Sender<String>;

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The engine's id: `sha256:…`.
    pub id: String,
    /// TCP ports it exposes, lowest first.
    pub ports: Vec<u16>,
    /// Size in bytes, all layers.
    pub size_bytes: u64,
    /// Environment variables that it sets.
    pub environment: Environment,
    /// Whether it has a command or an entrypoint of its own.
    pub has_command: bool,
}

/// Who to be at a registry. The password is a secret: no `Debug`.
#[derive(Clone)]
pub struct Credentials {
    /// The account.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// A container that builds something and is then made into an image.
pub struct BuildContainer {
    /// The image to start from.
    pub base: String,
    /// Words to execute.
    pub command: Vec<String>,
    /// Who to be, as in `app` or `2000:2000`; none is the image's own user.
    pub user: Option<String>,
    /// The build's environment; not kept in the image.
    pub environment: Environment,
    /// A tar archive put at `/` before the start.
    pub files: Box<dyn AsyncRead + Send + Unpin>,
    /// Volumes mounted read-write: name → path inside. One that is missing is made as the base has the path, with its
    /// owner, and stays until [`Images::remove_volume`]. Not part of the image.
    pub volumes: BTreeMap<String, PathBuf>,
    /// Labels on the container, besides those that mark it as ours.
    pub labels: BTreeMap<String, String>,
    /// Memory limit in bytes; none is unlimited.
    pub memory_bytes: Option<u64>,
    /// After this long it is killed and the build fails.
    pub timeout: Duration,
    /// The image to make when it exits with 0.
    pub target: String,
    /// Changes to the made image in Dockerfile instructions: `ENV GIT_SHA=…`, `ENTRYPOINT […]`, `LABEL …`.
    pub changes: Vec<String>,
}

/// How a build container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildOutcome {
    /// Its exit status; the image exists when it is 0.
    pub exit_code: i64,
    /// Whether the kernel killed it for exceeding its memory limit.
    pub out_of_memory: bool,
}

/// Makes, moves and removes images on an engine.
#[async_trait]
pub trait Images: Send + Sync {
    /// What the image says of itself; none if the engine does not have it.
    async fn inspect(&self, image: &str) -> Result<Option<ImageFacts>, SchedulerError>;

    /// Makes `image` from a root file system (tar), with `changes` in Dockerfile instructions.
    async fn import(
        &self,
        image: &str,
        root: Box<dyn AsyncRead + Send + Unpin>,
        changes: &[String],
    ) -> Result<(), SchedulerError>;

    /// Builds the Dockerfile at the root of `context` (tar) as `image`. Steps and their output go to `progress`.
    ///
    /// A failing step is [`SchedulerError::Engine`] with the engine's words.
    async fn build(
        &self,
        image: &str,
        context: Box<dyn AsyncRead + Send + Unpin>,
        arguments: &Environment,
        labels: &BTreeMap<String, String>,
        progress: Progress,
    ) -> Result<(), SchedulerError>;

    /// Runs `build`, streams its output to `progress`, makes the image when it exits with 0, removes the container.
    async fn build_in(
        &self,
        build: BuildContainer,
        progress: Progress,
    ) -> Result<BuildOutcome, SchedulerError>;

    /// Removes the containers of builds that somebody waited for who is gone: to be called when a builder starts.
    async fn remove_builds(&self) -> Result<(), SchedulerError>;

    /// Pushes `image` (its name says where) with `credentials`.
    async fn push(
        &self,
        image: &str,
        credentials: &Credentials,
        progress: Progress,
    ) -> Result<(), SchedulerError>;

    /// Gives `image` another name.
    async fn tag(&self, image: &str, name: &str) -> Result<(), SchedulerError>;

    /// Removes the name, and the image when nothing else needs it; absent is success, in use is success.
    async fn remove_image(&self, image: &str) -> Result<(), SchedulerError>;

    /// Names of the images on the engine that carry `label` (`key` or `key=value`).
    async fn list(&self, label: &str) -> Result<Vec<String>, SchedulerError>;

    /// Names of the volumes that builds of this platform left.
    async fn volumes(&self) -> Result<Vec<String>, SchedulerError>;

    /// Removes a build's volume and what is in it; absent is success, in use is success.
    async fn remove_volume(&self, name: &str) -> Result<(), SchedulerError>;
}
