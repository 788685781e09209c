//! `tags:…`: labels of the hosts that an app may run on.

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::options::{AppOption, FormatOption};
use crate::progress::spinning;
use crate::session::Session;
use crate::{config, output};

/// Commands of tags.
#[derive(Subcommand)]
pub(crate) enum Tags {
    /// List an app's tags
    #[command(name = "tags:list")]
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: FormatOption,
    },
    /// Run an app only on hosts with these labels; makes a release
    #[command(name = "tags:set", after_help = "Example:\n  deis tags:set rack=1 disk=ssd")]
    Set {
        /// Labels and their values
        #[arg(required = true, value_name = "KEY=VALUE")]
        tags: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Ask hosts for these labels no longer; makes a release
    #[command(name = "tags:unset")]
    Unset {
        /// Labels
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Tags {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { app, format } => {
                let app = session.app(&app)?;
                match format.json {
                    true => Ok(output::json(&json!(config::read(&session, &app).await?.tags))?),
                    false => list(&session, &app).await,
                }
            }
            Self::Set { tags, app } => set(&session, &session.app(&app)?, &tags).await,
            Self::Unset { keys, app } => {
                let changes = keys.into_iter().map(|key| (key, Value::Null)).collect();
                apply(&session, &session.app(&app)?, changes).await
            }
        }
    }
}

async fn list(session: &Session, app: &str) -> Result<()> {
    let tags = config::read(session, app).await?.tags;
    output::line(format_args!("=== {app} Tags"))?;
    Ok(output::lines(output::columns(tags, 5))?)
}

async fn set(session: &Session, app: &str, arguments: &[String]) -> Result<()> {
    let mut changes = Map::new();
    for argument in arguments {
        match argument.split_once('=').filter(|(_, value)| !value.contains('=')) {
            Some((key, value)) => {
                changes.insert(key.to_owned(), value.into());
            }
            None => output::lines([
                format!("{argument} is invalid, Must be in format key=value"),
                "Examples: rack=1 evironment=production".to_owned(),
            ])?,
        }
    }
    if changes.is_empty() {
        bail!("nothing to tag: name a label and its value, as in rack=1");
    }
    apply(session, app, changes).await
}

async fn apply(session: &Session, app: &str, changes: Map<String, Value>) -> Result<()> {
    output::text("Applying tags... ")?;
    spinning(config::change(session, app, "tags", changes)).await?;
    output::line("done\n")?;
    list(session, app).await
}
