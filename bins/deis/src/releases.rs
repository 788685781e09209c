//! `releases:…`: what was deployed, and back to it.

use anyhow::{Result, anyhow};
use clap::Subcommand;
use serde_json::{Value, json};

use deis_api::v1::{Release, RolledBack};

use crate::apps::path;
use crate::options::{AppOption, ListOptions};
use crate::output::{self, field};
use crate::progress::spinning;
use crate::session::Session;

/// Commands of releases.
#[derive(Subcommand)]
pub(crate) enum Releases {
    /// List an app's releases, newest first
    #[command(name = "releases:list")]
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Show one release
    #[command(name = "releases:info", after_help = "Example:\n  deis releases:info v3")]
    Info {
        /// Its number
        version: String,
        #[command(flatten)]
        app: AppOption,
    },
    /// Deploy an earlier release again, as a new one
    #[command(
        name = "releases:rollback",
        after_help = "Examples:\n  deis rollback\n  deis rollback v3 -a blog"
    )]
    Rollback {
        /// Its number; the one before the latest if not given
        version: Option<String>,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Releases {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { app, list } => self::list(&session, &session.app(&app)?, &list).await,
            Self::Info { version, app } => info(&session, &session.app(&app)?, number(&version)?).await,
            Self::Rollback { version, app } => {
                let version = version.as_deref().map(number).transpose()?;
                rollback(&session, &session.app(&app)?, version).await
            }
        }
    }
}

async fn list(session: &Session, app: &str, list: &ListOptions) -> Result<()> {
    let path = format!("{}releases/", path(app));
    let listing = session.client.list(&path, list.limit(&session.settings)).await?;
    if list.format.json {
        return Ok(output::json(&listing.results)?);
    }
    let total = listing.total;
    let releases: Vec<Release> = listing.items()?;
    output::title(&format!("{app} Releases"), releases.len(), total)?;
    Ok(output::lines(releases.iter().map(row))?)
}

fn row(release: &Release) -> String {
    format!("v{}\t{}\t{}", release.version, release.created, release.summary)
}

async fn info(session: &Session, app: &str, version: u32) -> Result<()> {
    let path = format!("{}releases/v{version}/", path(app));
    let release: Release = session.client.read(&path).await?;
    output::line(format_args!("=== {app} Release v{}", release.version))?;
    let optional = |label: &str, value: &Option<String>| value.as_ref().map(|value| field(label, value));
    output::lines(optional("build", &release.build))?;
    output::lines([
        field("config", &release.config),
        field("owner", &release.owner),
        field("created", &release.created),
        field("summary", &release.summary),
        field("updated", &release.updated),
        field("uuid", &release.uuid),
    ])?;
    output::lines(optional("state", &release.state))?;
    Ok(output::lines(optional("failure", &release.failure))?)
}

async fn rollback(session: &Session, app: &str, version: Option<u32>) -> Result<()> {
    let (text, body) = match version {
        Some(version) => (format!("Rolling back to v{version}... "), json!({ "version": version })),
        None => ("Rolling back one release... ".to_owned(), Value::Null),
    };
    output::text(text)?;
    let path = format!("{}releases/rollback/", path(app));
    let made: RolledBack = spinning(session.client.create(&path, &body)).await?;
    Ok(output::line(format_args!("done, v{}", made.version))?)
}

/// `v3` or `3`.
fn number(version: &str) -> Result<u32> {
    let digits = version.strip_prefix('v').unwrap_or(version);
    digits.parse().map_err(|_| anyhow!("{version} is not in the form 'v#'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_may_have_a_v() {
        assert_eq!((number("v3").unwrap(), number("3").unwrap()), (3, 3));
        assert_eq!(number("v").unwrap_err().to_string(), "v is not in the form 'v#'");
    }
}
