//! `domains:…`: host names that lead to an app.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use deis_api::v1::Domain;

use crate::apps::path;
use crate::client::{Listing, segment};
use crate::options::{AppOption, ListOptions};
use crate::output;
use crate::progress::spinning;
use crate::session::Session;

/// Commands of domains.
#[derive(Subcommand)]
pub(crate) enum Domains {
    /// Make a host name lead to an app
    #[command(
        name = "domains:add",
        after_help = "Example:\n  deis domains:add www.example.com -a blog\n\nAlso make the name's DNS record point to the platform."
    )]
    Add {
        /// The host name
        domain: String,
        #[command(flatten)]
        app: AppOption,
    },
    /// List the host names of an app
    #[command(name = "domains:list")]
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Make a host name lead to an app no longer
    #[command(name = "domains:remove")]
    Remove {
        /// The host name
        domain: String,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Domains {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::Add { domain, app } => add(&session, &session.app(&app)?, &domain).await,
            Self::List { app, list } => {
                let (app, limit) = (session.app(&app)?, list.limit(&session.settings));
                match list.format.json {
                    true => Ok(output::json(&read(&session, &app, limit).await?.results)?),
                    false => print(&session, &app, limit).await,
                }
            }
            Self::Remove { domain, app } => remove(&session, &session.app(&app)?, &domain).await,
        }
    }
}

async fn add(session: &Session, app: &str, domain: &str) -> Result<()> {
    output::text(format_args!("Adding {domain} to {app}... "))?;
    let body = json!({ "domain": domain });
    spinning(session.client.post(&format!("{}domains/", path(app)), &body)).await?;
    Ok(output::line("done")?)
}

async fn remove(session: &Session, app: &str, domain: &str) -> Result<()> {
    output::text(format_args!("Removing {domain} from {app}... "))?;
    let path = format!("{}domains/{}", path(app), segment(domain));
    spinning(session.client.delete(&path, &Value::Null)).await?;
    Ok(output::line("done")?)
}

/// Prints the host names of `app`.
pub(crate) async fn print(session: &Session, app: &str, limit: i64) -> Result<()> {
    let listing = read(session, app, limit).await?;
    let total = listing.total;
    let mut names: Vec<String> = listing.items::<Domain>()?.into_iter().map(|domain| domain.domain).collect();
    names.sort();
    output::title(&format!("{app} Domains"), names.len(), total)?;
    Ok(output::lines(names)?)
}

async fn read(session: &Session, app: &str, limit: i64) -> Result<Listing> {
    session.client.list(&format!("{}domains/", path(app)), limit).await
}
