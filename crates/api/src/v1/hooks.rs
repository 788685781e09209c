//! The builder's hooks: `POST /v1/hooks/{push,config,build}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Asks whether a push is allowed, and records it: 201 with what was recorded and [`PushHookResponse`], 403, 404.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushHook {
    /// Whose key it was.
    pub receive_user: String,
    /// App id.
    pub receive_repo: String,
    /// 40 hex digits.
    pub sha: String,
    /// The key's.
    pub fingerprint: String,
    /// `<client ip> <port> <server ip> <port>`.
    pub ssh_connection: String,
    /// As in `git-receive-pack 'blog.git'`.
    pub ssh_original_command: String,
}

/// What the builder needs to know of a push that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushHookResponse {
    /// The tag of the image to build, which no build of the app has yet: `git-<first 8 digits of the commit>`, with
    /// `-<number>` after it if the commit was built before.
    pub tag: String,
}

/// Asks for the config of the latest release, and which app this is: 200 with [`ConfigHookResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigHook {
    /// Whose key it was.
    pub receive_user: String,
    /// App id.
    pub receive_repo: String,
}

/// The config of an app, and which app it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigHookResponse {
    /// The config.
    #[serde(flatten)]
    pub config: super::Config,
    /// Lower-case hyphenated UUID of the app: another app that has its name later has another one.
    pub app_uuid: String,
}

/// Hands over a finished build; answers when the release serves, or 503 with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildHook {
    /// Whose key it was.
    pub receive_user: String,
    /// App id.
    pub receive_repo: String,
    /// UUID of the app that was pushed to, which is refused if it is gone; the original's builder sent none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub app_uuid: String,
    /// The image, with registry and tag; the original's builder sent the bare app id.
    pub image: String,
    /// First 8 digits of the commit.
    pub sha: String,
    /// Process type → command line.
    pub procfile: BTreeMap<String, String>,
    /// `true` for Dockerfile apps, else empty.
    pub dockerfile: String,
}

/// The release that a build led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildHookResponse {
    /// The release.
    pub release: HookRelease,
    /// Hosts of the app; the first is `<app>.<platform domain>`.
    pub domains: Vec<String>,
    /// How many of a hundred requests the release gets, if it is only tried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u8>,
}

/// A release's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRelease {
    /// Its number.
    pub version: u32,
}
