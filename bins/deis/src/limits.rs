//! `limits:…`: memory and CPU that processes may use.

use std::fmt::Display;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use deis_model::ProcessType;

use crate::options::{AppOption, FormatOption};
use crate::progress::spinning;
use crate::session::Session;
use crate::{config, output};

/// Commands of limits.
#[derive(Subcommand)]
pub(crate) enum Limits {
    /// List an app's limits
    #[command(name = "limits:list")]
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: FormatOption,
    },
    /// Set limits by process type; makes a release
    #[command(
        name = "limits:set",
        after_help = "Examples:\n  deis limits:set web=512M worker=1G\n  deis limits:set --cpu web=512\n\nMemory: a number and B, K, M or G. CPU: shares, 0 to 1024; twice the shares get twice the time when it is short."
    )]
    Set {
        /// Process types and their limits
        #[arg(required = true, value_name = "TYPE=LIMIT")]
        limits: Vec<String>,
        #[command(flatten)]
        kind: Kind,
        #[command(flatten)]
        app: AppOption,
    },
    /// Remove limits; makes a release
    #[command(name = "limits:unset")]
    Unset {
        /// Process types
        #[arg(required = true, value_name = "TYPE")]
        types: Vec<String>,
        #[command(flatten)]
        kind: Kind,
        #[command(flatten)]
        app: AppOption,
    },
}

/// What is limited.
#[derive(Args)]
pub(crate) struct Kind {
    /// CPU shares
    #[arg(short, long, conflicts_with = "memory")]
    cpu: bool,
    /// Memory; so it is if nothing is said
    #[arg(short, long)]
    memory: bool,
}

impl Kind {
    fn field(&self) -> &'static str {
        if self.cpu { "cpu" } else { "memory" }
    }
}

impl Limits {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { app, format } => {
                let app = session.app(&app)?;
                if !format.json {
                    return list(&session, &app).await;
                }
                let limits = config::read(&session, &app).await?;
                Ok(output::json(&json!({ "memory": limits.memory, "cpu": limits.cpu }))?)
            }
            Self::Set { limits, kind, app } => {
                set(&session, &session.app(&app)?, kind.field(), &limits).await
            }
            Self::Unset { types, kind, app } => {
                let changes = types.into_iter().map(|process| (process, Value::Null)).collect();
                apply(&session, &session.app(&app)?, kind.field(), changes).await
            }
        }
    }
}

async fn list(session: &Session, app: &str) -> Result<()> {
    let limits = config::read(session, app).await?;
    output::line(format_args!("=== {app} Limits\n"))?;
    output::line("--- Memory")?;
    output::lines(rows(limits.memory))?;
    output::line("\n--- CPU")?;
    Ok(output::lines(rows(limits.cpu))?)
}

fn rows<V: Display>(limits: impl IntoIterator<Item = (String, V)>) -> Vec<String> {
    let rows = output::columns(limits, 5);
    if rows.is_empty() { vec!["Unlimited".to_owned()] } else { rows }
}

async fn set(session: &Session, app: &str, field: &str, arguments: &[String]) -> Result<()> {
    let mut changes = Map::new();
    for argument in arguments {
        match parse(argument) {
            Some((process, limit)) => {
                changes.insert(process.to_owned(), limit.into());
            }
            None => output::lines([
                format!("{argument} doesn't fit format type=#unit or type=#"),
                "Examples: web=2G worker=500M web=300".to_owned(),
            ])?,
        }
    }
    if changes.is_empty() {
        bail!("nothing to limit: name a process type and its limit, as in web=512M");
    }
    apply(session, app, field, changes).await
}

async fn apply(session: &Session, app: &str, field: &str, changes: Map<String, Value>) -> Result<()> {
    output::text("Applying limits... ")?;
    spinning(config::change(session, app, field, changes)).await?;
    output::line("done\n")?;
    list(session, app).await
}

/// `web=2G`, `web=256MB` or `web=300`; the controller checks what it means.
fn parse(argument: &str) -> Option<(&str, &str)> {
    let (process, limit) = argument.split_once('=')?;
    ProcessType::parse(process).ok()?;
    let unit = limit.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = limit.len() - unit.len();
    let number = digits > 0 && (!unit.is_empty() || digits <= 4);
    (number && unit.len() <= 2 && unit.chars().all(|c| "bkmgBKMG".contains(c))).then_some((process, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_a_number_and_maybe_a_unit() {
        for good in ["web=2G", "web=256MB", "web=512", "worker-2=100k"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in ["web", "web=", "web=G", "web=2X", "web=2GBB", "web=12345", "=2G", "web=-1"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
