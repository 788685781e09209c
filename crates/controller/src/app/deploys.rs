//! The deploy side, as use cases see it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use deis_database::DatabaseError;
use deis_model::{AppId, ContainerStatus, Formation, ProcessType, ReleaseVersion};
use deis_scheduler::SchedulerError;

/// What callers are told while the database gives no answer.
pub const DATABASE_AWAY: &str =
    "The platform's database does not answer: nothing was changed. Try again in a moment.";

/// Makes what runs match what the database wants.
#[async_trait]
pub trait Deploys: Send + Sync {
    /// Looks at the app soon: something about it was written.
    fn wake(&self, app: &AppId);

    /// Waits until the release is not pending any more and, if it is deployed, until visitors reach it.
    async fn await_release(&self, app: &AppId, version: ReleaseVersion) -> Result<(), DeployError>;

    /// Writes how many containers of the mentioned types are wanted, which the caller has checked, and waits until they
    /// run. When they cannot, it is as before.
    async fn scale(&self, app: &AppId, requested: Formation) -> Result<(), DeployError>;

    /// Starts the matching containers anew and returns them; none match is no error.
    async fn restart(
        &self,
        app: &AppId,
        process: Option<&ProcessType>,
        number: Option<u32>,
    ) -> Result<Vec<ContainerStatus>, DeployError>;

    /// What the engine says of the app's containers; none while it gives no answer.
    async fn containers(&self, app: &AppId) -> Option<Vec<ContainerStatus>>;

    /// Waits, within reason, until the containers of an app whose rows were deleted are gone.
    async fn remove_app(&self, app: &AppId);

    /// Runs a one-off command in the release that serves, with `input` to read if any: its exit status and output.
    async fn run(
        &self,
        app: &AppId,
        command: &str,
        input: Option<Bytes>,
    ) -> Result<(i64, String), DeployError>;

    /// Waits until no release of the app is pending; tells whether that came true in time.
    async fn idle(&self, app: &AppId, timeout: Duration) -> bool;
}

/// Why something does not run as wanted. Its text is for the app's owner.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The release, formation or command was tried and failed.
    #[error("{0}")]
    Failed(String),
    /// The app or its release was deleted meanwhile.
    #[error("the app was deleted meanwhile")]
    Gone,
    /// There is no build to run.
    #[error("No build associated with this release")]
    NothingDeployed,
}

impl DeployError {
    /// What a failure of the database means for a deploy.
    pub fn from_database(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Missing => Self::Gone,
            // Where the database is, is nothing for the app's owner.
            DatabaseError::Away { .. } => Self::Failed(DATABASE_AWAY.to_owned()),
            error => Self::Failed(error.to_string()),
        }
    }

    /// What a failure of the engine means for a deploy.
    pub fn from_scheduler(error: SchedulerError) -> Self {
        Self::Failed(error.to_string())
    }
}
