//! What controllers that do not lead ask the one that does: to wait until an app is as its caller wants it.

use serde::{Deserialize, Serialize};

use deis_model::{ContainerName, Formation, ReleaseVersion};

/// Asks the controller that leads to wait until an app is as its caller wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// Until what.
    pub goal: DeployGoal,
    /// How long, in milliseconds; at most an hour.
    pub hold_millis: u64,
}

/// What a controller waits for on behalf of its caller. What is wanted is in the database already, restarts aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeployGoal {
    /// This release is not pending any more and, if it is deployed, every router serves it.
    Release(ReleaseVersion),
    /// This many containers run.
    Formation(Formation),
    /// None of these incarnations of containers is left. Asked again, by another controller perhaps, it goes on with
    /// those that are.
    Restart(Vec<Incarnation>),
}

/// One incarnation of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incarnation {
    /// Which container.
    pub container: ContainerName,
    /// The engine's id of it.
    pub id: String,
}

/// How a goal stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeployAnswer {
    /// It is reached.
    Done,
    /// Not yet; why, for the app's owner, may be empty.
    Waiting(String),
    /// It will not be reached, for the app's owner.
    Failed(String),
    /// The app or its release was deleted meanwhile.
    Gone,
}
