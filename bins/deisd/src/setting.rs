//! Settings before they are understood: text, and where it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};

/// One setting: its key in the file, its variable, its default and what it does.
struct Setting {
    key: &'static str,
    variable: &'static str,
    default: &'static str,
}

const fn setting(key: &'static str, variable: &'static str, default: &'static str) -> Setting {
    Setting { key, variable, default }
}

/// Every setting there is. `{data}` in a default is the data directory.
const SETTINGS: &[Setting] = &[
    setting("domain", "DEIS_DOMAIN", "localhost"),
    setting("host", "DEIS_HOST", ""),
    setting("http", "DEIS_HTTP", "127.0.0.1:8080"),
    setting("https", "DEIS_HTTPS", "127.0.0.1:8443"),
    setting("git", "DEIS_GIT", "127.0.0.1:2222"),
    setting("health", "DEIS_HEALTH", "127.0.0.1:9090"),
    setting("controller", "DEIS_CONTROLLER", "127.0.0.1:8000"),
    setting("registry", "DEIS_REGISTRY", "127.0.0.1:5000"),
    setting("logger", "DEIS_LOGGER", "127.0.0.1:8088"),
    setting("notice_seconds", "DEIS_NOTICE_SECONDS", "0"),
    setting("drain_seconds", "DEIS_DRAIN_SECONDS", "30"),
    setting("builder", "DEIS_BUILDER", "127.0.0.1:2223"),
    setting("registry_listen", "DEIS_REGISTRY_LISTEN", ""),
    setting("controllers", "DEIS_CONTROLLERS", ""),
    setting("registries", "DEIS_REGISTRIES", ""),
    setting("loggers", "DEIS_LOGGERS", ""),
    setting("builders", "DEIS_BUILDERS", ""),
    setting("routers", "DEIS_ROUTERS", ""),
    setting("identity", "DEIS_IDENTITY", ""),
    setting("status", "DEIS_STATUS", ""),
    setting("secrets_dir", "DEIS_SECRETS_DIR", "{data}/secrets"),
    setting("scheduler", "DEIS_SCHEDULER", "docker://"),
    setting("database", "DEIS_DATABASE", "sqlite://{data}/deis.sqlite"),
    setting("database_dir", "DEIS_DATABASE_DIR", "{data}-database"),
    setting("database_members", "DEIS_DATABASE_MEMBERS", ""),
    setting("store", "DEIS_STORE", "file://{data}/store"),
    setting("stack_image", "DEIS_STACK_IMAGE", "deis/stack:latest"),
    setting("network", "DEIS_NETWORK", "deis"),
    setting("ready_timeout_seconds", "DEIS_READY_TIMEOUT_SECONDS", "120"),
    setting("drain_timeout_seconds", "DEIS_DRAIN_TIMEOUT_SECONDS", "30"),
    setting("stop_grace_seconds", "DEIS_STOP_GRACE_SECONDS", "10"),
    setting("log_retention_megabytes", "DEIS_LOG_RETENTION_MEGABYTES", "10240"),
    setting("log_retention_megabytes_per_app", "DEIS_LOG_RETENTION_MEGABYTES_PER_APP", "100"),
];

/// A setting's value and where it comes from.
struct Value {
    text: String,
    source: String,
}

/// Every setting's value.
pub(crate) struct Resolved {
    /// Where this machine's data is kept.
    pub(crate) data_dir: PathBuf,
    data_dir_source: String,
    values: BTreeMap<&'static str, Value>,
}

/// Lays the file, the variables and the flags over the defaults.
pub(crate) fn resolve(
    file: Option<&Path>,
    flags: &[String],
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Resolved> {
    let flags = parse_flags(flags)?;
    let (data_dir, data_dir_source) = data_dir(&flags, &variable);
    let default_file = data_dir.join("deis.toml");
    let file = file.map(Path::to_owned).or_else(|| default_file.exists().then_some(default_file));
    let from_file = file.as_deref().map(read_file).transpose()?.unwrap_or_default();
    let root = data_dir.to_string_lossy().into_owned();
    let pick = |setting: &Setting| {
        let from_flag = flags.get(setting.key).map(|text| (text.clone(), "--set".to_owned()));
        let from_variable = || variable(setting.variable).map(|text| (text, setting.variable.to_owned()));
        let in_file = || from_file.get(setting.key).map(|text| (text.clone(), shown(file.as_deref())));
        let default = || (setting.default.replace("{data}", &root), "default".to_owned());
        let (text, source) = from_flag.or_else(from_variable).or_else(in_file).unwrap_or_else(default);
        (setting.key, Value { text, source })
    };
    let values = SETTINGS.iter().map(pick).collect();
    Ok(Resolved { data_dir, data_dir_source, values })
}

fn shown(file: Option<&Path>) -> String {
    file.map(|file| file.display().to_string()).unwrap_or_default()
}

fn data_dir(
    flags: &BTreeMap<String, String>,
    variable: &impl Fn(&str) -> Option<String>,
) -> (PathBuf, String) {
    if let Some(text) = flags.get("data_dir") {
        return (PathBuf::from(text), "--data-dir".to_owned());
    }
    if let Some(text) = variable("DEIS_DATA_DIR") {
        return (PathBuf::from(text), "DEIS_DATA_DIR".to_owned());
    }
    (deis_runtime::data_dir::default_root(variable), "default".to_owned())
}

fn parse_flags(flags: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let parse = |flag: &String| {
        let (key, value) = flag.split_once('=').with_context(|| format!("--set {flag} is not KEY=VALUE"))?;
        check_key(key, "--set")?;
        Ok((key.to_owned(), value.to_owned()))
    };
    flags.iter().map(parse).collect()
}

fn read_file(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read settings from {}", path.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("failed to read settings from {}", path.display()))?;
    let entry = |(key, value): (String, toml::Value)| {
        check_key(&key, &path.display().to_string())?;
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => bail!("{key} in {} must be text or a number", path.display()),
        };
        Ok((key, text))
    };
    table.into_iter().map(entry).collect()
}

fn check_key(key: &str, place: &str) -> anyhow::Result<()> {
    if key == "data_dir" || SETTINGS.iter().any(|setting| setting.key == key) {
        return Ok(());
    }
    let known: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    bail!("{place} sets {key:?}, which is not a setting; there are: data_dir, {}", known.join(", "))
}

impl Resolved {
    /// The text of a setting.
    pub(crate) fn text(&self, key: &str) -> &str {
        &self.values[key].text
    }

    /// A setting, understood, or which value from where could not be.
    pub(crate) fn parse_value<T: FromStr>(&self, key: &str) -> anyhow::Result<T>
    where
        T::Err: fmt::Display,
    {
        let Value { text, source } = &self.values[key];
        text.parse().map_err(|error| anyhow::anyhow!("{key} = {text:?} (from {source}) is refused: {error}"))
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:<32} {:<44} {}", "data_dir", self.data_dir.display(), self.data_dir_source)?;
        self.values.iter().try_for_each(|(key, Value { text, source })| {
            // URLs may carry passwords.
            writeln!(formatter, "{key:<32} {:<44} {source}", deis_store::redacted(text))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> anyhow::Result<Resolved> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deis.toml");
        std::fs::write(&path, file).unwrap();
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let find =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        resolve(Some(&path), &flags, find)
    }

    #[test]
    fn flags_beat_variables_beat_the_file_beats_defaults() {
        let file = "domain = \"file.example\"\nhttp = \"127.0.0.1:1\"\ngit = \"127.0.0.1:2\"";
        let variables = [("DEIS_DOMAIN", "variable.example"), ("DEIS_HTTP", "127.0.0.1:3")];
        let found = resolved(file, &variables, &["domain=flag.example"]).unwrap();
        let texts = ["domain", "http", "git", "health"].map(|key| found.text(key));
        assert_eq!(texts, ["flag.example", "127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:9090"]);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = resolved("htp = 1", &[], &[]).err().unwrap().to_string();
        assert!(error.contains("\"htp\""), "{error}");
        assert!(resolved("", &[], &["nonsense"]).is_err());
    }

    #[test]
    fn a_value_that_is_not_understood_names_its_source() {
        let found = resolved("", &[("DEIS_HTTP", "nowhere")], &[]).unwrap();
        let error = found.parse_value::<std::net::SocketAddr>("http").unwrap_err().to_string();
        assert!(error.contains("DEIS_HTTP") && error.contains("nowhere"), "{error}");
    }

    #[test]
    fn how_long_a_router_ends_is_bounded() {
        for (key, value, bound) in [("notice_seconds", "601", "600"), ("drain_seconds", "3601", "3600")] {
            let found = resolved("", &[], &[&format!("{key}={value}")]).unwrap();
            let error = found.parse().err().expect("too long").to_string();
            assert!([key, value, bound].iter().all(|part| error.contains(part)), "{error}");
        }
        let found = resolved("", &[], &["notice_seconds=600", "drain_seconds=3600"]).unwrap();
        assert_eq!(found.parse().unwrap().ending.limit().as_secs(), 600 + 3600 + 10);
    }
}
