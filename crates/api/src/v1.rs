//! Wire types of the public API 1.7. Source: reference of the original's objects; field order is theirs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub mod canary;
pub mod certificate;
pub mod hooks;

pub use canary::{Canary, Promoted};
pub use certificate::{Automatic, Certificate};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// How many there are in all.
    pub count: u64,
    /// Absolute URL of the next page.
    pub next: Option<String>,
    /// Absolute URL of the page before.
    pub previous: Option<String>,
    /// This page.
    pub results: Vec<T>,
}

/// An app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// Its name.
    pub id: String,
    /// Username.
    pub owner: String,
    /// `<id>.<platform domain>`, without scheme.
    pub url: String,
    /// Process type → containers wanted.
    pub structure: BTreeMap<String, u32>,
    /// `%Y-%m-%dT%H:%M:%SUTC`.
    pub created: String,
    /// Likewise.
    pub updated: String,
}

/// A build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// App id.
    pub app: String,
    /// Username.
    pub owner: String,
    /// Image name.
    pub image: String,
    /// Commit; may be empty.
    pub sha: String,
    /// Process type → command line; may be empty.
    pub procfile: BTreeMap<String, String>,
    /// Not empty for Dockerfile apps.
    pub dockerfile: String,
    /// `%Y-%m-%dT%H:%M:%SUTC`.
    pub created: String,
    /// Likewise.
    pub updated: String,
}

/// A config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// App id.
    pub app: String,
    /// Username.
    pub owner: String,
    /// Environment variables.
    pub values: BTreeMap<String, String>,
    /// Memory limits.
    pub memory: BTreeMap<String, String>,
    /// CPU shares, as numbers.
    pub cpu: BTreeMap<String, u16>,
    /// Host labels.
    pub tags: BTreeMap<String, String>,
    /// `%Y-%m-%dT%H:%M:%SUTC`.
    pub created: String,
    /// Likewise.
    pub updated: String,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// App id.
    pub app: String,
    /// Username.
    pub owner: String,
    /// Number.
    pub version: u32,
    /// What changed.
    pub summary: String,
    /// UUID.
    pub config: String,
    /// UUID; null before the first build.
    pub build: Option<String>,
    /// `%Y-%m-%dT%H:%M:%SUTC`.
    pub created: String,
    /// Likewise.
    pub updated: String,
    /// `pending`, `canary`, `deployed`, `failed` or `ended`; not sent by older platforms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Why it failed or was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// App id.
    pub app: String,
    /// Username.
    pub owner: String,
    /// `v<N>`.
    pub release: String,
    /// Process type.
    pub r#type: String,
    /// Number within the type.
    pub num: u32,
    /// `up`, `crashed`, …
    pub state: String,
    /// `%Y-%m-%dT%H:%M:%SUTC`.
    pub created: String,
    /// Likewise.
    pub updated: String,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// App id.
    pub app: String,
    /// Username.
    pub owner: String,
    /// Host name.
    pub domain: String,
    /// `%Y-%m-%dT%H:%M:%SUTC`.
    pub created: String,
    /// Likewise.
    pub updated: String,
}

/// An SSH key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// Its name.
    pub id: String,
    /// Username.
    pub owner: String,
    /// The key's text.
    pub public: String,
    /// 16 hex pairs with colons.
    pub fingerprint: String,
    /// `%Y-%m-%dT%H:%M:%SUTC`.
    pub created: String,
    /// Likewise.
    pub updated: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// A number, unique.
    pub id: i64,
    /// Login name.
    pub username: String,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// Administrator.
    pub is_superuser: bool,
    /// Administrator.
    pub is_staff: bool,
    /// May log in.
    pub is_active: bool,
    /// Always empty.
    pub groups: Vec<String>,
    /// Always empty.
    pub user_permissions: Vec<String>,
    /// ISO 8601 with fraction and `Z`.
    pub last_login: String,
    /// Likewise.
    pub date_joined: String,
}

/// An administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminUser {
    /// Login name.
    pub username: String,
    /// Always true.
    pub is_superuser: bool,
}

/// Collaborators of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collaborators {
    /// Usernames, the owner not among them.
    pub users: Vec<String>,
}

/// A login.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// 40 hex digits.
    pub token: String,
}

/// The version that a rollback made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// Number of the new release.
    pub version: u32,
}
