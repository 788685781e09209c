//! Files that a unit's containers are given: all that is secret is in them.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use deis_model::FileMount;

use crate::fleet::{PLATFORM, State};
use crate::unit::Unit;

use super::DATA;
use super::environment::addresses;

/// Settings that are secret, in a file: environments are shown by engines to whoever asks.
pub(super) const SETTINGS: &str = "/run/deis/deis.toml";
/// What proves a process to be its role.
pub(super) const IDENTITY: &str = "/run/deis/identity.pem";
/// Keys that roles share.
pub(super) const SECRETS: &str = "/run/deis/secrets";

/// Those of `unit`.
pub(super) fn files(state: &State, unit: Unit) -> anyhow::Result<Vec<FileMount>> {
    let file =
        |path: &str, contents: &str| FileMount { path: path.to_owned(), contents: contents.to_owned() };
    let secret = |name: &str, contents: &str| file(&format!("{SECRETS}/{name}"), contents);
    let mut files = vec![
        file(SETTINGS, &settings(state, unit)?),
        file(IDENTITY, state.identities.bundle(unit.as_str())?),
        secret("internal.key", &state.secrets.internal_key),
    ];
    match unit {
        Unit::Database => files.extend([
            secret("database.password", &state.secrets.database_password),
            secret("database.superuser", &state.secrets.database_superuser_password),
            secret("database.replication", &state.secrets.database_replication_password),
        ]),
        _ => files.push(secret("registry.password", &state.secrets.registry_password)),
    }
    if unit == Unit::Controller {
        files.push(secret("sealing.key", &state.secrets.sealing_key));
    }
    Ok(files)
}

/// The settings that hold passwords, in TOML.
fn settings(state: &State, unit: Unit) -> anyhow::Result<String> {
    let mut settings = BTreeMap::new();
    if matches!(unit, Unit::Registry | Unit::Builder | Unit::Logger | Unit::Database) {
        settings.insert("store", store(state)?.to_owned());
    }
    if unit == Unit::Controller {
        settings.insert("database", database(state)?);
    }
    match settings.is_empty() {
        // An engine takes no empty file.
        true => Ok("# nothing that is secret\n".to_owned()),
        false => toml::to_string(&settings).context("failed to write the settings of a role"),
    }
}

/// The URL of the store, which every host has to reach.
fn store(state: &State) -> anyhow::Result<&str> {
    match state.settings.value("store", "url") {
        Some(url) if url.starts_with("s3://") => Ok(url),
        Some(_) => bail!(
            "the store of a cluster must be one that every host reaches, on S3; use:\n\
             deisctl config store set url='s3://<key>:<secret>@<bucket>?endpoint=<url>'"
        ),
        None => bail!(
            "Missing store, use:\n\
             deisctl config store set url='s3://<key>:<secret>@<bucket>?endpoint=<url>'"
        ),
    }
}

/// The URL of the database: the operator's, or that of the platform's own.
fn database(state: &State) -> anyhow::Result<String> {
    if let Some(url) = state.settings.value("database", "url") {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(url.to_owned());
        }
        bail!(
            "the database of a cluster must be a PostgreSQL server; use:\n\
             deisctl config database set url=postgres://<user>:<password>@<host>:5432/<name>\n\
             or take the platform's own:\ndeisctl config database rm url"
        );
    }
    let (password, hosts) = (&state.secrets.database_password, addresses(state, Unit::Database));
    // Controllers keep their certificate where the URL says.
    Ok(format!(
        "postgres://deis:{password}@{hosts}/deis?sslmode=verify-ca&sslrootcert={DATA}/identity/roots.crt\
         &sslcert={DATA}/identity/leaf.crt&sslkey={DATA}/identity/leaf.key"
    ))
}

/// Refuses settings with which the platform cannot start, all at once and with the cures.
pub(crate) fn check(state: &State) -> anyhow::Result<()> {
    if state.settings.value("platform", "domain").is_none() {
        bail!("Missing platform domain, use:\ndeisctl config platform set domain=<your-domain>");
    }
    if state.wishes.image.is_empty() {
        bail!("{PLATFORM} has no image; make it with `deisctl init`");
    }
    store(state)?;
    database(state).map(drop)
}
