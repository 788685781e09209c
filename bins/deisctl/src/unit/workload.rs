//! What a unit is to the engine: image, environment, files and folders, made from everything that decides it. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, bail};

use deis_model::{
    AppId, Command, Environment, FileMount, HostAccess, Limits, Mount, ProcessType, ReleaseVersion, Spread,
    Workload, WorkloadId,
};

use crate::fleet::{PLATFORM, State};

use super::variable::VARIABLES;
use super::{Count, Unit};

/// Where containers of roles keep data: a folder of their host, one per role.
const DATA: &str = "/var/lib/deis";
/// Where the folders of all roles are on a host, unless `platform dataDir` says otherwise.
pub(crate) const HOST_DATA: &str = "/var/lib/deis";
/// Where the engine's socket is on a host, unless `platform engineSocket` says otherwise.
const HOST_ENGINE: &str = "/var/run/docker.sock";
/// The same in containers.
const ENGINE: &str = "/var/run/docker.sock";
/// Settings that are secret, in a file: environments are shown by engines to whoever asks.
const SETTINGS: &str = "/run/deis/deis.toml";
/// What proves a process to be its role.
const IDENTITY: &str = "/run/deis/identity.pem";
/// Keys that roles share.
const SECRETS: &str = "/run/deis/secrets";
/// How engines name the images of the platform: on every host an agent answers there.
const IMAGES: &str = "127.0.0.1:5000";
/// Replaced by the engine: the name of the host that a container is on.
const HOST_NAME: &str = "{{.Node.Hostname}}";
/// The image of the database, unless `database image` says otherwise.
const DATABASE_IMAGE: &str = "deis/database:latest";

/// The id of a unit's workload.
pub(crate) fn id(unit: Unit) -> WorkloadId {
    WorkloadId {
        app: AppId::parse("deis").expect("lower-case letters are a name"),
        release: ReleaseVersion::FIRST,
        process: ProcessType::parse(unit.as_str()).expect("units are named as process types are"),
    }
}

/// What `unit` is to be; refuses what could not work, with the cure.
pub(crate) fn workload(state: &State, unit: Unit) -> anyhow::Result<Workload> {
    let replicas = state.wish(unit).and_then(|wish| wish.replicas);
    let (spread, replicas) = match (replicas, unit.count()) {
        (Some(number), _) => (Spread::Replicas, number),
        (None, Count::One) => (Spread::Replicas, 1),
        (None, Count::EveryHost) => (Spread::Hosts, 1),
    };
    Ok(Workload {
        id: id(unit),
        image: image(state, unit),
        command: command(unit),
        environment: Environment(environment(state, unit)),
        limits: Limits::default(),
        tags: BTreeMap::from([(unit.plane().label().to_owned(), "true".to_owned())]),
        replicas,
        port: None,
        health_check: None,
        spread,
        host: Some(HostAccess {
            network: true,
            mounts: mounts(state, unit),
            files: files(state, unit)?,
            capabilities: capabilities(unit),
        }),
    })
}

/// The folder of `unit` on its hosts.
pub(crate) fn folder(state: &State, unit: Unit) -> String {
    let root = state.settings.value("platform", "dataDir").unwrap_or(HOST_DATA);
    format!("{}/{unit}", root.trim_end_matches('/'))
}

/// The image that `unit` runs from.
pub(crate) fn image(state: &State, unit: Unit) -> String {
    let of_all = || match unit.is_role() {
        true => platform_image(state),
        false => DATABASE_IMAGE,
    };
    state.settings.value(unit.as_str(), "image").unwrap_or_else(of_all).to_owned()
}

/// The image that roles run from unless they have one of their own.
pub(crate) fn platform_image(state: &State) -> &str {
    state.settings.value("platform", "image").unwrap_or(&state.wishes.image)
}

fn command(unit: Unit) -> Command {
    Command::Words(["deisd", "run", unit.as_str()].map(str::to_owned).to_vec())
}

fn environment(state: &State, unit: Unit) -> BTreeMap<String, String> {
    let fixed = [
        ("DEIS_HOST", HOST_NAME.to_owned()),
        ("DEIS_DATA_DIR", DATA.to_owned()),
        ("DEIS_CONFIG", SETTINGS.to_owned()),
        ("DEIS_IDENTITY", IDENTITY.to_owned()),
        ("DEIS_SECRETS_DIR", SECRETS.to_owned()),
    ];
    let set = VARIABLES.iter().filter(|variable| variable.units.contains(&unit));
    let set = set.filter_map(|variable| {
        Some((variable.name, state.settings.value(variable.target, variable.key)?.to_owned()))
    });
    // What an operator sets comes last: it replaces what is usual.
    let all = fixed.into_iter().chain(listens(unit)).chain(engine(unit)).chain(peers(state, unit)).chain(set);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where the unit listens, and what others are told about that by whoever listens elsewhere.
fn listens(unit: Unit) -> Vec<(&'static str, String)> {
    let everywhere = |port: u16| format!("0.0.0.0:{port}");
    let named: &[(&str, u16)] = match unit {
        Unit::Router => &[("DEIS_HTTP", 80), ("DEIS_GIT", 2222), ("DEIS_HEALTH", 9090)],
        // Tells pushers where their app answers.
        Unit::Builder => &[("DEIS_BUILDER", 2223), ("DEIS_HTTP", 80)],
        Unit::Controller => &[("DEIS_CONTROLLER", 8000)],
        Unit::Registry => &[("DEIS_REGISTRY_LISTEN", 5001)],
        Unit::Logger => &[("DEIS_LOGGER", 8088)],
        Unit::Database | Unit::Logspout | Unit::Publisher => &[],
    };
    let images = [("DEIS_REGISTRY", IMAGES.to_owned())];
    named.iter().map(|(name, port)| (*name, everywhere(*port))).chain(images).collect()
}

fn engine(unit: Unit) -> Option<(&'static str, String)> {
    let url = match unit {
        Unit::Controller => format!("swarm://{ENGINE}"),
        _ => format!("docker://{ENGINE}"),
    };
    unit.has_engine().then_some(("DEIS_SCHEDULER", url))
}

/// Where other units may be: every host of their plane, in one order.
fn peers(state: &State, unit: Unit) -> Vec<(&'static str, String)> {
    match unit {
        Unit::Database => vec![("DEIS_DATABASE_MEMBERS", members(state))],
        Unit::Logger | Unit::Registry => Vec::new(),
        _ => vec![
            ("DEIS_CONTROLLERS", addresses(state, Unit::Controller)),
            ("DEIS_REGISTRIES", addresses(state, Unit::Registry)),
            ("DEIS_LOGGERS", addresses(state, Unit::Logger)),
            ("DEIS_BUILDERS", addresses(state, Unit::Builder)),
        ],
    }
}

/// `host:port` of every host that `unit` may be on, separated by commas.
pub(crate) fn addresses(state: &State, unit: Unit) -> String {
    let port = unit.port().unwrap_or_default();
    let hosts = state.plane(unit.plane());
    hosts.map(|host| SocketAddr::new(host.address, port).to_string()).collect::<Vec<_>>().join(",")
}

/// `host=address` of every host that has the database, separated by commas.
fn members(state: &State) -> String {
    let hosts = state.plane(Unit::Database.plane());
    hosts.map(|host| format!("{}={}", host.name, host.address)).collect::<Vec<_>>().join(",")
}

fn mounts(state: &State, unit: Unit) -> Vec<Mount> {
    let mount = |source: &str, target: &str, read_only| Mount {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
    };
    let socket = state.settings.value("platform", "engineSocket").unwrap_or(HOST_ENGINE);
    let engine = unit.has_engine().then(|| mount(socket, ENGINE, false));
    [mount(&folder(state, unit), DATA, false)].into_iter().chain(engine).collect()
}

/// Beyond the engine's usual ones: the publisher sets rules of its host's firewall.
fn capabilities(unit: Unit) -> Vec<String> {
    match unit {
        Unit::Publisher => ["NET_ADMIN", "NET_RAW"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    }
}

fn files(state: &State, unit: Unit) -> anyhow::Result<Vec<FileMount>> {
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
             deisctl config store set url=s3://<key>:<secret>@<bucket>?endpoint=<url>"
        ),
        None => bail!(
            "Missing store, use:\n\
             deisctl config store set url=s3://<key>:<secret>@<bucket>?endpoint=<url>"
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
    Ok(format!("postgres://deis:{password}@{hosts}/deis"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::test_state;

    fn variables(state: &State, unit: Unit) -> BTreeMap<String, String> {
        workload(state, unit).expect("a workload").environment.0
    }

    fn file(workload: &Workload, path: &str) -> String {
        let files = &workload.host.as_ref().expect("a host's parts").files;
        files.iter().find(|file| file.path == path).map(|file| file.contents.clone()).unwrap_or_default()
    }

    #[test]
    fn every_unit_is_told_where_the_others_may_be() {
        let state = test_state(&["lab1", "lab2", "lab3"]);
        let variables = variables(&state, Unit::Router);
        assert_eq!(variables["DEIS_CONTROLLERS"], "10.0.0.1:8000,10.0.0.2:8000,10.0.0.3:8000");
        assert_eq!(variables["DEIS_BUILDERS"], "10.0.0.1:2223,10.0.0.2:2223,10.0.0.3:2223");
        assert_eq!(variables["DEIS_HTTP"], "0.0.0.0:80");
        assert_eq!(variables["DEIS_HOST"], "{{.Node.Hostname}}");
    }

    #[test]
    fn a_changed_setting_changes_only_the_units_concerned() {
        let before = test_state(&["lab1"]);
        let mut after = test_state(&["lab1"]);
        after.identities =
            serde_json::from_value(serde_json::to_value(&before.identities).expect("json")).expect("same");
        after.secrets = before.secrets.clone();
        after.settings.set("controller", "readyTimeoutSeconds", Some("30"));
        let changed = Unit::ALL.into_iter().filter(|unit| {
            let of = |state: &State| workload(state, *unit).expect("a workload").fingerprint();
            of(&before) != of(&after)
        });
        assert_eq!(changed.collect::<Vec<_>>(), [Unit::Controller]);
    }

    #[test]
    fn passwords_are_in_files_and_not_in_environments() {
        let state = test_state(&["lab1"]);
        for unit in Unit::ALL {
            let workload = workload(&state, unit).expect("a workload");
            let values: Vec<_> = workload.environment.0.values().map(String::as_str).collect();
            for secret in [&state.secrets.internal_key, &state.secrets.database_password, "KEY:SECRET"] {
                assert!(!values.concat().contains(secret), "{unit}");
            }
        }
        let controller = workload(&state, Unit::Controller).expect("a workload");
        assert!(file(&controller, SETTINGS).contains("database = \"postgres://deis:"));
        let registry = workload(&state, Unit::Registry).expect("a workload");
        assert_eq!(file(&registry, SETTINGS), "store = \"s3://KEY:SECRET@deis?endpoint=http://10.0.0.9\"\n");
    }

    #[test]
    fn only_roles_that_need_it_have_the_engine() {
        let state = test_state(&["lab1"]);
        for unit in Unit::ALL {
            let host = workload(&state, unit).expect("a workload").host.expect("a host's parts");
            assert_eq!(host.mounts.iter().any(|mount| mount.target == ENGINE), unit.has_engine(), "{unit}");
            assert_eq!(host.mounts[0].source, format!("/var/lib/deis/{unit}"));
        }
    }

    #[test]
    fn what_could_not_work_in_a_cluster_is_refused_with_the_cure() {
        let mut state = test_state(&["lab1"]);
        assert!(check(&state).is_ok());
        state.settings.set("store", "url", Some("file:///var/lib/deis/store"));
        let refused = check(&state).expect_err("a store of one host").to_string();
        assert!(refused.contains("deisctl config store set url=s3://"), "{refused}");
        state.settings.set("store", "url", Some("s3://deis"));
        state.settings.set("database", "url", Some("sqlite:///var/lib/deis/deis.sqlite"));
        assert!(check(&state).is_err());
        state.settings.set("database", "url", None);
        state.settings.set("platform", "domain", None);
        let refused = check(&state).expect_err("no domain").to_string();
        assert_eq!(
            refused,
            "Missing platform domain, use:\ndeisctl config platform set domain=<your-domain>"
        );
    }

    #[test]
    fn a_scaled_unit_has_a_number_in_place_of_one_per_host() {
        let mut state = test_state(&["lab1", "lab2", "lab3"]);
        let of = |state: &State| {
            let workload = workload(state, Unit::Router).expect("a workload");
            (workload.spread, workload.replicas)
        };
        assert_eq!(of(&state), (Spread::Hosts, 1));
        state.wishes.units.entry(Unit::Router).or_default().replicas = Some(2);
        assert_eq!(of(&state), (Spread::Replicas, 2));
    }
}
