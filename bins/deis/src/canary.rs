//! `canary:…`: new releases on a part of an app's requests, before they get all.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Map, Value};

use deis_api::v1::{Canary as State, Promoted, Release};
use deis_model::canary::SETTING;

use crate::apps::path;
use crate::options::{AppOption, FormatOption};
use crate::output::{self, field};
use crate::progress::spinning;
use crate::routing;
use crate::session::Session;

/// Commands of canaries.
#[derive(Subcommand)]
pub(crate) enum Canary {
    /// Tell whether new releases are tried out, and which one is
    #[command(name = "canary:info")]
    Info {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: FormatOption,
    },
    /// Try new releases out: each gets a part of the requests until you promote it
    #[command(
        name = "canary:on",
        after_help = "Examples:\n  deis canary:on -a blog\n  deis canary:on 25\n\nFrom then on whatever you push, pull or configure is tried out. While something is, another\nnumber applies to it at once. 'deis rollback' takes effect for all, as ever."
    )]
    On {
        /// How many of a hundred requests
        #[arg(value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
        weight: u8,
        #[command(flatten)]
        app: AppOption,
    },
    /// Let new releases take the place of the one before at once; end what is tried out
    #[command(name = "canary:off")]
    Off {
        #[command(flatten)]
        app: AppOption,
    },
    /// Deploy the release that is tried out for all
    #[command(name = "canary:promote")]
    Promote {
        #[command(flatten)]
        app: AppOption,
    },
    /// End the release that is tried out; the one before gets all requests again
    #[command(name = "canary:end")]
    End {
        #[command(flatten)]
        app: AppOption,
    },
}

impl Canary {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::Info { app, format } => info(&session, &session.app(&app)?, format.json).await,
            Self::On { weight, app } => {
                let app = session.app(&app)?;
                let text = format!("Trying out new releases of {app} on {weight} % of the requests... ");
                set(&session, &app, &text, weight.to_string().into()).await
            }
            Self::Off { app } => {
                let app = session.app(&app)?;
                set(&session, &app, &format!("Trying out no releases of {app} any more... "), Value::Null)
                    .await
            }
            Self::Promote { app } => promote(&session, &session.app(&app)?).await,
            Self::End { app } => end(&session, &session.app(&app)?).await,
        }
    }
}

async fn info(session: &Session, app: &str, json: bool) -> Result<()> {
    let path = format!("{}canary/", path(app));
    if json {
        return Ok(output::json(&session.client.read::<Value>(&path).await?)?);
    }
    let state: State = session.client.read(&path).await?;
    output::line(format_args!("=== {app} Canary"))?;
    Ok(output::lines(lines(&state))?)
}

fn lines(state: &State) -> Vec<String> {
    let weight = match state.weight {
        0 => "new releases take the place of the one before at once".to_owned(),
        weight => format!("new releases get {weight} % of the requests until they are promoted"),
    };
    let release = |release: &Release| format!("v{} {}", release.version, release.summary);
    let tried = state.release.as_ref().map_or("nothing".to_owned(), release);
    let next = state.next.as_ref().map(|next| field("starting", release(next)));
    [field("setting", weight), field("canary", tried)].into_iter().chain(next).collect()
}

async fn set(session: &Session, app: &str, text: &str, value: Value) -> Result<()> {
    output::text(text)?;
    let changes = Map::from_iter([(SETTING.to_owned(), value)]);
    spinning(routing::change(session, app, changes)).await?;
    Ok(output::line("done")?)
}

async fn promote(session: &Session, app: &str) -> Result<()> {
    output::text("Deploying what is tried out for all... ")?;
    let path = format!("{}canary/promote/", path(app));
    let promoted: Promoted = spinning(session.client.create(&path, &Value::Null)).await?;
    Ok(output::line(format_args!("done, v{}", promoted.version))?)
}

async fn end(session: &Session, app: &str) -> Result<()> {
    output::text("Ending what is tried out... ")?;
    let path = format!("{}canary/", path(app));
    spinning(session.client.delete(&path, &Value::Null)).await?;
    Ok(output::line("done")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_out_is_told_in_words() {
        let state = State { weight: 0, release: None, next: None };
        assert!(lines(&state)[0].ends_with("at once") && lines(&state)[1].ends_with("nothing"));
        let state = State { weight: 25, ..state };
        assert!(lines(&state)[0].contains("25 %"));
    }
}
