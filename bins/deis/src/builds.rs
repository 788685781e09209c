//! `builds:…`: images that an app was made from.

use std::io;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::json;

use deis_api::v1::Build;
use deis_model::Procfile;

use crate::apps::path;
use crate::options::{AppOption, ListOptions};
use crate::output;
use crate::progress::spinning;
use crate::session::Session;

/// Commands of builds.
#[derive(Subcommand)]
pub(crate) enum Builds {
    /// List an app's builds, newest first
    #[command(name = "builds:list")]
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Deploy an image from a registry
    #[command(
        name = "builds:create",
        after_help = "Examples:\n  deis pull registry.example.com/team/blog:1.2 -a blog\n  deis pull team/blog -p 'worker: ./work'\n\nA Procfile in this directory is sent along, unless -p is given."
    )]
    Create {
        /// The image, as `docker pull` names it
        image: String,
        #[command(flatten)]
        app: AppOption,
        /// Process types and their commands, as YAML
        #[arg(short, long, value_name = "YAML")]
        procfile: Option<String>,
    },
}

impl Builds {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { app, list } => self::list(&session, &session.app(&app)?, &list).await,
            Self::Create { image, app, procfile } => {
                create(&session, &session.app(&app)?, &image, procfile).await
            }
        }
    }
}

async fn list(session: &Session, app: &str, list: &ListOptions) -> Result<()> {
    let path = format!("{}builds/", path(app));
    let listing = session.client.list(&path, list.limit(&session.settings)).await?;
    if list.format.json {
        return Ok(output::json(&listing.results)?);
    }
    let total = listing.total;
    let builds: Vec<Build> = listing.items()?;
    output::title(&format!("{app} Builds"), builds.len(), total)?;
    Ok(output::lines(builds.iter().map(|build| format!("{} {}", build.uuid, build.created)))?)
}

async fn create(session: &Session, app: &str, image: &str, procfile: Option<String>) -> Result<()> {
    let mut body = json!({ "image": image });
    if let Some(procfile) = procfile.map_or_else(procfile_here, |text| Ok(Some(text)))? {
        let procfile = Procfile::parse(&procfile)?;
        body["procfile"] = serde_json::to_value(procfile).context("failed to send the Procfile")?;
    }
    output::text("Creating build... ")?;
    spinning(session.client.post(&format!("{}builds/", path(app)), &body)).await?;
    Ok(output::line("done")?)
}

fn procfile_here() -> Result<Option<String>> {
    match std::fs::read_to_string("Procfile") {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("failed to read ./Procfile"),
    }
}
