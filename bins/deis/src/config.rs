//! `config:…`: environment variables of an app.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use deis_api::v1::Config as Wire;
use deis_model::ConfigKey;

use crate::apps::path;
use crate::environment_file;
use crate::options::{AppOption, FormatOption};
use crate::output;
use crate::progress::spinning;
use crate::session::Session;

/// Commands of environment variables.
#[derive(Subcommand)]
pub(crate) enum Config {
    /// List an app's variables
    #[command(name = "config:list")]
    List {
        #[command(flatten)]
        app: AppOption,
        /// All on one line
        #[arg(long)]
        oneline: bool,
        #[command(flatten)]
        format: FormatOption,
    },
    /// Set variables; makes a release
    #[command(
        name = "config:set",
        after_help = "Examples:\n  deis config:set MODE=test\n  deis config:set A=1 EMPTY= 'TEXT=several words'\n\nThe value of SSH_KEY may be a private key's file; it is sent in base64."
    )]
    Set {
        /// Names and values
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Remove variables; makes a release
    #[command(name = "config:unset")]
    Unset {
        /// Names
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Write an app's variables to .env
    #[command(name = "config:pull")]
    Pull {
        #[command(flatten)]
        app: AppOption,
        /// Ask before a value in the file is replaced
        #[arg(short, long)]
        interactive: bool,
        /// Replace the file
        #[arg(short, long)]
        overwrite: bool,
    },
    /// Set the variables in .env; makes a release
    #[command(name = "config:push")]
    Push {
        #[command(flatten)]
        app: AppOption,
        /// Another file than .env
        #[arg(short, long, value_name = "PATH", default_value = environment_file::FILE)]
        path: PathBuf,
    },
}

impl Config {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { app, oneline, format } => {
                let app = session.app(&app)?;
                match format.json {
                    true => Ok(output::json(&json!(read(&session, &app).await?.values))?),
                    false => list(&session, &app, oneline).await,
                }
            }
            Self::Set { values, app } => set(&session, &session.app(&app)?, &values).await,
            Self::Unset { keys, app } => unset(&session, &session.app(&app)?, keys).await,
            Self::Pull { app, interactive, overwrite } => {
                environment_file::pull(&session, &session.app(&app)?, interactive, overwrite).await
            }
            Self::Push { app, path } => environment_file::push(&session, &session.app(&app)?, &path).await,
        }
    }
}

/// The config of an app's latest release.
pub(crate) async fn read(session: &Session, app: &str) -> Result<Wire> {
    session.client.read(&format!("{}config/", path(app))).await
}

/// Changes part of an app's config: `field` is `values`, `memory`, `cpu` or `tags`; null removes a key.
pub(crate) async fn change(
    session: &Session,
    app: &str,
    field: &str,
    changes: Map<String, Value>,
) -> Result<Wire> {
    // An empty change is a change too: it makes a release.
    let body = if changes.is_empty() { json!({}) } else { json!({ field: changes }) };
    session.client.create(&format!("{}config/", path(app)), &body).await
}

async fn list(session: &Session, app: &str, oneline: bool) -> Result<()> {
    let values = read(session, app).await?.values;
    if oneline {
        let words: String = values.iter().map(|(key, value)| format!("{key}={value} ")).collect();
        return Ok(output::line(words)?);
    }
    output::line(format_args!("=== {app} Config"))?;
    Ok(output::lines(output::columns(values, 6))?)
}

async fn set(session: &Session, app: &str, arguments: &[String]) -> Result<()> {
    let mut changes = Map::new();
    for argument in arguments {
        match parse(argument) {
            Some((key, value)) => {
                changes.insert(key.to_owned(), final_value(key, value)?.into());
            }
            None => output::line(format_args!(
                "'{argument}' does not match the pattern 'key=var', ex: MODE=test"
            ))?,
        }
    }
    if changes.is_empty() {
        bail!("nothing to set: name a variable and its value, as in MODE=test");
    }
    create(session, app, changes).await
}

/// Sets variables, says so and lists them.
pub(crate) async fn create(session: &Session, app: &str, changes: Map<String, Value>) -> Result<()> {
    output::text("Creating config... ")?;
    let made = spinning(change(session, app, "values", changes)).await?;
    match made.values.get("DEIS_RELEASE") {
        Some(release) => output::line(format_args!("done, {release}\n"))?,
        None => output::line("done\n")?,
    }
    list(session, app, false).await
}

async fn unset(session: &Session, app: &str, keys: Vec<String>) -> Result<()> {
    output::text("Removing config... ")?;
    let changes = keys.into_iter().map(|key| (key, Value::Null)).collect();
    spinning(change(session, app, "values", changes)).await?;
    output::line("done\n")?;
    list(session, app, false).await
}

/// A variable's name and value in `KEY=value`; the value may be empty, and have several lines.
pub(crate) fn parse(argument: &str) -> Option<(&str, &str)> {
    argument.split_once('=').filter(|(key, _)| ConfigKey::parse(key).is_ok())
}

/// What is sent for `value`: an SSH key, or the file that holds it, goes in base64.
pub(crate) fn final_value(key: &str, value: &str) -> Result<String> {
    if key != "SSH_KEY" {
        return Ok(value.to_owned());
    }
    let text = match Path::new(value).is_file() {
        true => fs::read_to_string(value).with_context(|| format!("failed to read {value}"))?,
        false => value.to_owned(),
    };
    match text.starts_with("-----BEGIN ") && text.contains(" PRIVATE KEY-----") {
        true => Ok(STANDARD.encode(text)),
        // The text is not repeated: a slip may have put another secret there.
        false => {
            bail!("Could not parse SSH private key: it is neither a key in PEM form nor the file of one")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_empty_or_long() {
        assert_eq!(parse("MODE=test"), Some(("MODE", "test")));
        assert_eq!(parse("EMPTY="), Some(("EMPTY", "")));
        assert_eq!(parse("URL=a=b\nc"), Some(("URL", "a=b\nc")));
        for bad in ["MODE", "=x", "1A=x", "A-B=x"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_ssh_key_goes_in_base64() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----\n";
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("id_rsa");
        fs::write(&file, key).unwrap();
        assert_eq!(final_value("SSH_KEY", key).unwrap(), STANDARD.encode(key));
        assert_eq!(final_value("SSH_KEY", file.to_str().unwrap()).unwrap(), STANDARD.encode(key));
        assert!(
            final_value("SSH_KEY", "x")
                .unwrap_err()
                .to_string()
                .starts_with("Could not parse SSH private key")
        );
        assert_eq!(final_value("OTHER", "x").unwrap(), "x");
    }
}
