//! `routing:…`: how routers treat the visitors of an app.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use deis_model::routing::{Scope, Setting};

use crate::apps::path;
use crate::options::{AppOption, FormatOption};
use crate::output;
use crate::progress::spinning;
use crate::session::Session;

/// Whether visitors reach an app at all.
const ROUTABLE: &str = "routable";

/// Commands of routing.
#[derive(Subcommand)]
pub(crate) enum Routing {
    /// List an app's routing settings
    #[command(
        name = "routing:list",
        after_help = "Examples:\n  deis routing:list -a blog\n  deis routing:list --all"
    )]
    List {
        #[command(flatten)]
        app: AppOption,
        /// List every setting that an app may have, with what it means and its default
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        format: FormatOption,
    },
    /// Change routing settings; they apply at once, without a release
    #[command(
        name = "routing:set",
        after_help = "Examples:\n  deis routing:set bodySize=50m timeout/answer=5m\n  deis routing:set affinityCookie=node rateLimit=10r/s\n  deis routing:set basicAuth=ann:secret,bob:secret\n\n'deis routing:list --all' shows what there is."
    )]
    Set {
        /// Settings and their values
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Go by what holds for the whole platform again
    #[command(name = "routing:unset", after_help = "Example:\n  deis routing:unset bodySize -a blog")]
    Unset {
        /// Settings
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Tell whether visitors reach an app
    #[command(name = "routing:info")]
    Info {
        #[command(flatten)]
        app: AppOption,
    },
    /// Let visitors reach an app
    #[command(name = "routing:enable")]
    Enable {
        #[command(flatten)]
        app: AppOption,
    },
    /// Let no visitor reach an app; its containers go on
    #[command(name = "routing:disable")]
    Disable {
        #[command(flatten)]
        app: AppOption,
    },
}

impl Routing {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        // What there is to set is known without any controller.
        if let Self::List { all: true, format, .. } = &self {
            return list_all(format.json);
        }
        let session = Session::open()?;
        match self {
            Self::List { app, format, .. } => {
                let app = session.app(&app)?;
                match format.json {
                    true => Ok(output::json(&json!(read(&session, &app).await?))?),
                    false => list(&session, &app).await,
                }
            }
            Self::Set { settings, app } => {
                let changes = settings.iter().map(|text| parse(text)).collect::<Result<_>>()?;
                apply(&session, &session.app(&app)?, changes).await
            }
            Self::Unset { keys, app } => {
                let changes = keys.into_iter().map(|key| (key, Value::Null)).collect();
                apply(&session, &session.app(&app)?, changes).await
            }
            Self::Info { app } => info(&session, &session.app(&app)?).await,
            Self::Enable { app } => switch(&session, &session.app(&app)?, "Enabling", Value::Null).await,
            Self::Disable { app } => switch(&session, &session.app(&app)?, "Disabling", "off".into()).await,
        }
    }
}

/// The routing settings of `app`.
pub(crate) async fn read(session: &Session, app: &str) -> Result<BTreeMap<String, String>> {
    session.client.read(&format!("{}routing/", path(app))).await
}

/// Changes routing settings of `app`; null removes one. All that it has then.
pub(crate) async fn change(
    session: &Session,
    app: &str,
    changes: Map<String, Value>,
) -> Result<BTreeMap<String, String>> {
    session.client.create(&format!("{}routing/", path(app)), &Value::Object(changes)).await
}

/// Changes one routing setting of `app`, saying `text` meanwhile.
pub(crate) async fn set_one(session: &Session, app: &str, text: &str, key: &str, value: Value) -> Result<()> {
    output::text(format_args!("{text}... "))?;
    spinning(change(session, app, [(key.to_owned(), value)].into_iter().collect())).await?;
    Ok(output::line("done")?)
}

/// Whether a switch among settings is on; none if it is not set.
pub(crate) fn is_on(settings: &BTreeMap<String, String>, key: &str) -> Option<bool> {
    let value = settings.get(key)?.to_ascii_lowercase();
    Some(["on", "true", "yes", "1"].contains(&value.as_str()))
}

fn parse(text: &str) -> Result<(String, Value)> {
    match text.split_once('=').filter(|(key, _)| !key.is_empty()) {
        Some((key, value)) => Ok((key.to_owned(), value.into())),
        None => bail!("'{text}' does not match the pattern 'key=value', ex: bodySize=50m"),
    }
}

async fn apply(session: &Session, app: &str, changes: Map<String, Value>) -> Result<()> {
    output::text("Applying routing settings... ")?;
    let settings = spinning(change(session, app, changes)).await?;
    output::line("done\n")?;
    print(app, &settings)
}

async fn list(session: &Session, app: &str) -> Result<()> {
    print(app, &read(session, app).await?)
}

fn print(app: &str, settings: &BTreeMap<String, String>) -> Result<()> {
    output::line(format_args!("=== {app} Routing"))?;
    Ok(output::lines(output::columns(settings, 5))?)
}

fn list_all(json: bool) -> Result<()> {
    let settings: Vec<&Setting> =
        Setting::all().filter(|setting| setting.scope != Scope::Mesh && setting.has_effect()).collect();
    if json {
        let described = |setting: &&Setting| json!({ "name": setting.name, "default": setting.default, "meaning": setting.meaning });
        return Ok(output::json(&settings.iter().map(described).collect())?);
    }
    output::line("=== Routing Settings of Apps")?;
    let described = |setting: &&Setting| {
        let default = match setting.default {
            "" => String::new(),
            default => format!(" [{default}]"),
        };
        (setting.name, format!("{}{default}", setting.meaning))
    };
    Ok(output::lines(output::columns(settings.iter().map(described), 5))?)
}

async fn info(session: &Session, app: &str) -> Result<()> {
    let state = match is_on(&read(session, app).await?, ROUTABLE) {
        Some(false) => "disabled",
        _ => "enabled",
    };
    Ok(output::line(format_args!("Routing is {state}."))?)
}

async fn switch(session: &Session, app: &str, verb: &str, value: Value) -> Result<()> {
    set_one(session, app, &format!("{verb} routing for {app}"), ROUTABLE, value).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_empty_and_have_equals_signs() {
        assert_eq!(parse("a/b=c=d").unwrap(), ("a/b".to_owned(), json!("c=d")));
        assert_eq!(parse("header/response/x=").unwrap().1, json!(""));
        assert!(parse("bodySize").is_err() && parse("=1").is_err());
    }
}
