//! `deisctl config <target> get|set|rm|list`: settings of the platform, in the original's form and output.
//!
//! On one machine the controller keeps them. In a cluster they are a document of the engine, which is there before any
//! controller is and while none answers.

mod document;
mod target;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use deis_api::client::InternalClient;
use deis_api::internal::SettingsPage;
use deis_model::routing;

use crate::arguments::{ConfigAction, ConfigCommand};
use crate::fleet::Fleet;
use crate::operate::Operation;
use crate::platform::Platform;

use target::{Target, there_are};

/// Settings that are given as the path of a file whose content is stored.
const FILE_VALUED: [(&str, &str); 4] =
    [("platform", "sshPrivateKey"), ("router", "sslCert"), ("router", "sslKey"), ("router", "sslDhparam")];

/// The one among them that is stored in base64.
const ENCODED: (&str, &str) = ("platform", "sshPrivateKey");

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn run(
    platform: &Platform,
    command: ConfigCommand,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let target = Target::parse(&command.target)?;
    // Read before anybody is asked: a wrong path is told even while the controller is down.
    let request = Request::parse(target, command.action)?;
    if let Some(fleet) = Fleet::if_any(platform).await? {
        return document::answer(&Operation::new(fleet), target, &request, out).await;
    }
    let controller = platform.controller().await?;
    match &request {
        Request::Get(keys) => show(target, &fetch(&controller, target).await?, keys, out)?,
        Request::Change(changes) => {
            write(&controller, target, changes.iter().cloned().collect()).await?;
            echo(target, changes, out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked for.
enum Request {
    /// These keys; all without any.
    Get(Vec<String>),
    /// Key → value; without a value the key is taken away.
    Change(Vec<(String, Option<String>)>),
}

impl Request {
    fn parse(target: Target<'_>, action: ConfigAction) -> anyhow::Result<Self> {
        match action {
            ConfigAction::Get { keys } => Ok(Self::Get(keys)),
            ConfigAction::List => Ok(Self::Get(Vec::new())),
            ConfigAction::Rm { keys } => Ok(Self::Change(keys.into_iter().map(|key| (key, None)).collect())),
            ConfigAction::Set { pairs } => {
                target.check_known()?;
                let change = |pair: &String| setting(target, pair).map(|(key, value)| (key, Some(value)));
                Ok(Self::Change(pairs.iter().map(change).collect::<anyhow::Result<_>>()?))
            }
        }
    }
}

async fn fetch(controller: &InternalClient, target: Target<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    let request = controller.request(Method::GET, &target.path()).timeout(TIMEOUT);
    let page: SettingsPage = controller.json(request).await?;
    Ok(page.values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// Prints the values of `keys`, one per line; without keys all of them as `key=value`.
fn show(
    target: Target<'_>,
    values: &BTreeMap<String, String>,
    keys: &[String],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if keys.is_empty() {
        if values.is_empty() && !target.is_known() {
            bail!(
                "Key not found (/deis/{}): nothing is set there, and nothing reads it; there are {}",
                target.0,
                there_are()
            );
        }
        values.iter().try_for_each(|(key, value)| writeln!(out, "{key}={}", target.shown(key, value)))?;
    }
    for key in keys {
        let value = values.get(key).ok_or_else(|| anyhow!("Key not found (/deis/{}/{key})", target.0))?;
        writeln!(out, "{}", target.shown(key, value))?;
    }
    Ok(())
}

/// Prints what was changed: values that were set, names of keys that were taken away.
fn echo(
    target: Target<'_>,
    changes: &[(String, Option<String>)],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    changes.iter().try_for_each(|(key, value)| match value {
        Some(value) => writeln!(out, "{}", target.shown(key, value)),
        None => writeln!(out, "{key}"),
    })
}

async fn write(
    controller: &InternalClient,
    target: Target<'_>,
    values: BTreeMap<String, Option<String>>,
) -> anyhow::Result<()> {
    let request = controller.request(Method::POST, &target.path()).json(&SettingsPage { values });
    controller.send(request.timeout(TIMEOUT)).await?;
    Ok(())
}

/// The key and the value to store of one `key=value`.
fn setting(target: Target<'_>, pair: &str) -> anyhow::Result<(String, String)> {
    let (key, value) = pair
        .split_once('=')
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .ok_or_else(|| anyhow!("'{pair}' does not match the pattern 'key=var', ex: foo=bar"))?;
    if target.is_router() && !FILE_VALUED.contains(&(target.0, key)) {
        return Ok((key.to_owned(), routing::seal(key, value, rand::random)?));
    }
    if !FILE_VALUED.contains(&(target.0, key)) {
        return Ok((key.to_owned(), value.to_owned()));
    }
    let content = fs::read(expanded(value)).with_context(|| format!("failed to read {value} for {key}"))?;
    let stored = match (target.0, key) {
        ENCODED => STANDARD.encode(content),
        _ => {
            String::from_utf8(content).with_context(|| format!("{value} is not text, as {key} has to be"))?
        }
    };
    Ok((key.to_owned(), stored))
}

/// `path` with a leading `~` or `$HOME` replaced by the home directory.
fn expanded(path: &str) -> PathBuf {
    let below = ["~/", "$HOME/"].iter().find_map(|prefix| path.strip_prefix(prefix));
    match (below, std::env::home_dir()) {
        (Some(below), Some(home)) => home.join(below),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, pair: &str, expected: Result<(&str, &str), &str>) {
        let parsed = setting(Target(target), pair).map_err(|error| error.to_string());
        let parsed = parsed.as_ref().map(|(key, value)| (key.as_str(), value.as_str()));
        assert_eq!(parsed.map_err(String::as_str), expected, "{pair}");
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        check("router", "bodySize=5m", Ok(("bodySize", "5m")));
        check("router", "hsts/enabled=a=b", Ok(("hsts/enabled", "a=b")));
        check("router", "x=two\nlines", Ok(("x", "two\nlines")));
    }

    #[test]
    fn pairs_without_key_or_value_are_refused_in_the_originals_words() {
        for pair in ["bodySize", "=5m", "bodySize="] {
            let text = format!("'{pair}' does not match the pattern 'key=var', ex: foo=bar");
            check("router", pair, Err(&text));
        }
    }

    #[test]
    fn certificates_are_read_from_files_and_the_ssh_key_is_encoded() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("key");
        fs::write(&path, "secret\n").expect("written");
        let path = path.to_str().expect("text");
        check("router", &format!("sslKey={path}"), Ok(("sslKey", "secret\n")));
        check("platform", &format!("sshPrivateKey={path}"), Ok(("sshPrivateKey", "c2VjcmV0Cg==")));
        check("platform", &format!("sslKey={path}"), Ok(("sslKey", path)));
        check("router", "sslKey=/nowhere/key", Err("failed to read /nowhere/key for sslKey"));
    }

    #[test]
    fn what_was_set_for_a_target_that_nobody_reads_can_only_be_looked_at_and_removed() {
        let request = |action| Request::parse(Target("nosuch"), action);
        let keys = || vec!["a".to_owned()];
        assert!(request(ConfigAction::Get { keys: keys() }).is_ok());
        assert!(request(ConfigAction::Rm { keys: keys() }).is_ok());
        let refused = request(ConfigAction::Set { pairs: vec!["a=b".to_owned()] }).err().expect("refused");
        assert!(refused.to_string().starts_with("Could not find target: nosuch"), "{refused}");
    }

    #[test]
    fn a_list_of_nothing_is_an_error_where_nobody_looks() {
        let list = |target, values: &[(&str, &str)]| {
            let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let mut out = Vec::new();
            show(Target(target), &values.collect(), &[], &mut out).map_err(|error| error.to_string())?;
            Ok::<_, String>(String::from_utf8(out).expect("text"))
        };
        assert_eq!(list("router", &[]).as_deref(), Ok(""));
        assert_eq!(list("nosuch", &[("a", "b")]).as_deref(), Ok("a=b\n"));
        assert!(list("nosuch", &[]).is_err_and(|error| error.starts_with("Key not found (/deis/nosuch)")));
    }
}
