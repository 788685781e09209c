//! `ps:…`: an app's containers.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use deis_api::v1::Container;
use deis_model::ProcessType;

use crate::apps::path;
use crate::client::{Listing, segment};
use crate::options::{AppOption, ListOptions};
use crate::output;
use crate::progress::spinning;
use crate::session::Session;

/// Commands of processes.
#[derive(Subcommand)]
pub(crate) enum Ps {
    /// List the containers of an app
    #[command(name = "ps:list")]
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Start containers again: all, those of a type, or one
    #[command(
        name = "ps:restart",
        after_help = "Examples:\n  deis ps:restart\n  deis ps:restart web\n  deis ps:restart web.1"
    )]
    Restart {
        /// A process type, or one container of it
        #[arg(value_name = "TYPE[.NUM]")]
        target: Option<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Say how many containers of a process type are to run
    #[command(
        name = "ps:scale",
        after_help = "Examples:\n  deis scale web=3\n  deis scale web=3 worker=1 -a blog"
    )]
    Scale {
        /// Process types and how many of them
        #[arg(required = true, value_name = "TYPE=NUM")]
        targets: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Ps {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { app, list } => {
                let (app, limit) = (session.app(&app)?, list.limit(&session.settings));
                match list.format.json {
                    true => Ok(output::json(&read(&session, &app, limit).await?.results)?),
                    false => print(&session, &app, limit).await,
                }
            }
            Self::Restart { target, app } => restart(&session, &session.app(&app)?, target.as_deref()).await,
            Self::Scale { targets, app } => scale(&session, &session.app(&app)?, &targets).await,
        }
    }
}

async fn restart(session: &Session, app: &str, target: Option<&str>) -> Result<()> {
    let target = target.map(restart_path).unwrap_or_default();
    let path = format!("{}containers/{target}restart/", path(app));
    busily(session, app, "Restarting", &path, &Value::Null).await
}

/// `web` or `web.1` as the middle of a path. A process type may hold dots itself.
fn restart_path(target: &str) -> String {
    match target.rsplit_once('.') {
        Some((process, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{}/{number}/", segment(process))
        }
        _ => format!("{}/", segment(target)),
    }
}

async fn scale(session: &Session, app: &str, targets: &[String]) -> Result<()> {
    let mut formation = BTreeMap::new();
    for target in targets {
        match parse_target(target) {
            Some((process, number)) => {
                formation.insert(process, number);
            }
            None => {
                output::line(format_args!("'{target}' does not match the pattern 'type=num', ex: web=2"))?
            }
        }
    }
    if formation.is_empty() {
        bail!("nothing to scale: name a process type and how many, as in web=2");
    }
    busily(session, app, "Scaling", &format!("{}scale/", path(app)), &json!(formation)).await
}

fn parse_target(target: &str) -> Option<(&str, u32)> {
    let (process, number) = target.split_once('=')?;
    ProcessType::parse(process).ok()?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((process, digits.then(|| number.parse().ok())??))
}

/// Posts what takes a while, and shows what became of it.
async fn busily(session: &Session, app: &str, verb: &str, path: &str, body: &Value) -> Result<()> {
    let drink = std::env::var("DEIS_DRINK_OF_CHOICE").unwrap_or_else(|_| "coffee".to_owned());
    output::line(format_args!("{verb} processes... but first, {drink}!"))?;
    let started = Instant::now();
    spinning(session.client.post(path, body)).await?;
    output::line(format_args!("done in {}s", started.elapsed().as_secs()))?;
    print(session, app, session.settings.response_limit).await
}

/// Prints the containers of `app` by process type.
pub(crate) async fn print(session: &Session, app: &str, limit: i64) -> Result<()> {
    let listing = read(session, app, limit).await?;
    let total = listing.total;
    let containers: Vec<Container> = listing.items()?;
    output::title(&format!("{app} Processes"), containers.len(), total)?;
    Ok(output::lines(by_type(containers))?)
}

fn by_type(containers: Vec<Container>) -> Vec<String> {
    let mut types: BTreeMap<String, Vec<Container>> = BTreeMap::new();
    for container in containers {
        types.entry(container.r#type.clone()).or_default().push(container);
    }
    let mut lines = Vec::new();
    for (process, mut containers) in types {
        containers.sort_by_key(|container| (version(container), container.num));
        lines.push(format!("--- {process}:"));
        lines.extend(
            containers.iter().map(|it| format!("{process}.{} {} ({})", it.num, it.state, it.release)),
        );
    }
    lines
}

/// While a release is tried out, there are containers of two.
fn version(container: &Container) -> Option<u32> {
    container.release.strip_prefix('v')?.parse().ok()
}

async fn read(session: &Session, app: &str, limit: i64) -> Result<Listing> {
    session.client.list(&format!("{}containers/", path(app)), limit).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_a_type_and_a_number() {
        assert_eq!(parse_target("web=2"), Some(("web", 2)));
        assert_eq!(parse_target("worker-2=0"), Some(("worker-2", 0)));
        for bad in ["web", "web=", "=2", "web=-1", "web=x", "web=+1", "web=99999999999"] {
            assert_eq!(parse_target(bad), None, "{bad}");
        }
    }

    #[test]
    fn restarts_name_a_type_or_one_container() {
        assert_eq!(restart_path("web"), "web/");
        assert_eq!(restart_path("web.1"), "web/1/");
        assert_eq!(restart_path("my.type"), "my.type/");
        assert_eq!(restart_path("../x"), "..%2Fx/");
    }
}
