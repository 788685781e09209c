//! `tls:…`: whether visitors must come by HTTPS, and where certificates come from.

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use crate::options::AppOption;
use crate::session::Session;
use crate::{output, routing};

const ENFORCED: &str = "enforceHTTPS";
const AUTOMATIC: &str = "tls/auto";

/// Commands of TLS.
#[derive(Subcommand)]
pub(crate) enum Tls {
    /// Tell whether visitors of an app must come by HTTPS
    #[command(name = "tls:info")]
    Info {
        #[command(flatten)]
        app: AppOption,
    },
    /// Send visitors that come without HTTPS to it
    #[command(
        name = "tls:enable",
        after_help = "Example:\n  deis tls:enable -a blog\n\nAdd certificates for the app's domains first: deis help certs:add"
    )]
    Enable {
        #[command(flatten)]
        app: AppOption,
    },
    /// Have certificates for the app's domains made and renewed by themselves, or no longer
    #[command(
        name = "tls:auto",
        after_help = "Examples:\n  deis tls:auto on -a blog\n  deis tls:auto off\n\nThe domains must lead to the platform already, and its operators must have allowed it."
    )]
    Auto {
        /// Whether they are
        #[arg(value_parser = ["on", "off"], default_value = "on")]
        state: String,
        #[command(flatten)]
        app: AppOption,
    },
    /// Serve visitors of an app also without HTTPS
    #[command(name = "tls:disable")]
    Disable {
        #[command(flatten)]
        app: AppOption,
    },
}

impl Tls {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::Info { app } => {
                let app = session.app(&app)?;
                let settings = routing::read(&session, &app).await?;
                let enforced = routing::is_on(&settings, ENFORCED);
                let state = enforced.map_or_else(|| "not set".to_owned(), |is_on| is_on.to_string());
                output::line(format_args!("=== {app} TLS"))?;
                Ok(output::line(format_args!("HTTPS Enforced: {state}"))?)
            }
            Self::Enable { app } => switch(&session, &session.app(&app)?, "Enabling", "on").await,
            Self::Auto { state, app } => {
                let app = session.app(&app)?;
                let verb = if state == "on" { "Enabling" } else { "Disabling" };
                let text = format!("{verb} automatic certificates for {app}");
                routing::set_one(&session, &app, &text, AUTOMATIC, state.into()).await
            }
            Self::Disable { app } => switch(&session, &session.app(&app)?, "Disabling", "off").await,
        }
    }
}

async fn switch(session: &Session, app: &str, verb: &str, value: &str) -> Result<()> {
    let text = format!("{verb} https-only requests for {app}");
    routing::set_one(session, app, &text, ENFORCED, Value::from(value)).await
}
