//! `maintenance:…`: a page in place of an app while somebody works on it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Map, Value};

use crate::options::AppOption;
use crate::progress::spinning;
use crate::session::Session;
use crate::{output, routing};

const SWITCH: &str = "maintenance";
const PAGE: &str = "maintenance/page";

/// Commands of maintenance.
#[derive(Subcommand)]
pub(crate) enum Maintenance {
    /// Tell whether visitors of an app get the maintenance page
    #[command(name = "maintenance:info")]
    Info {
        #[command(flatten)]
        app: AppOption,
    },
    /// Show visitors of an app a page with status 503; its containers go on
    #[command(
        name = "maintenance:on",
        after_help = "Examples:\n  deis maintenance:on -a blog\n  deis maintenance:on --page back-soon.html"
    )]
    On {
        #[command(flatten)]
        app: AppOption,
        /// A page of your own, in place of the platform's: a file with HTML or plain text
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
    },
    /// Let visitors of an app through again
    #[command(name = "maintenance:off")]
    Off {
        #[command(flatten)]
        app: AppOption,
    },
}

impl Maintenance {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::Info { app } => {
                let settings = routing::read(&session, &session.app(&app)?).await?;
                let state = if routing::is_on(&settings, SWITCH) == Some(true) { "on" } else { "off" };
                Ok(output::line(format_args!("Maintenance mode is {state}."))?)
            }
            Self::On { app, page } => {
                let mut changes = Map::from_iter([(SWITCH.to_owned(), "on".into())]);
                if let Some(page) = page {
                    let text = std::fs::read_to_string(&page);
                    let text = text.with_context(|| format!("failed to read {}", page.display()))?;
                    changes.insert(PAGE.to_owned(), text.into());
                }
                switch(&session, &session.app(&app)?, "Enabling", changes).await
            }
            Self::Off { app } => {
                let changes = Map::from_iter([(SWITCH.to_owned(), Value::Null)]);
                switch(&session, &session.app(&app)?, "Disabling", changes).await
            }
        }
    }
}

async fn switch(session: &Session, app: &str, verb: &str, changes: Map<String, Value>) -> Result<()> {
    output::text(format_args!("{verb} maintenance mode for {app}... "))?;
    spinning(routing::change(session, app, changes)).await?;
    Ok(output::line("done")?)
}
