//! What a unit is to the engine: image, environment, files and folders, made from everything that decides it. Pure.

mod ending;
mod environment;
mod file;
#[cfg(test)]
mod tests;

use deis_model::{
    AppId, Command, Environment, HostAccess, Limits, Mount, ProcessType, ReleaseVersion, Spread, Workload,
    WorkloadId,
};

use crate::fleet::State;

use super::{Count, Unit};

use ending::stop_grace_seconds;
use environment::environment;
use file::files;

pub(crate) use ending::ending;
pub(crate) use environment::addresses;
pub(crate) use file::check;

/// Where containers of roles keep data: a folder of their host, one per role.
const DATA: &str = "/var/lib/deis";
/// Where the database's containers find PostgreSQL's files.
const DATABASE_DATA: &str = "/var/lib/deis-database";
/// Where the folders of all roles are on a host, unless `platform dataDir` says otherwise.
pub(crate) const HOST_DATA: &str = "/var/lib/deis";
/// Where the engine's socket is on a host, unless `platform engineSocket` says otherwise.
const HOST_ENGINE: &str = "/var/run/docker.sock";
/// The same in containers.
const ENGINE: &str = "/var/run/docker.sock";
/// The image of the database without its tag, which is that of the platform's image.
pub(crate) const DATABASE_IMAGE: &str = "deis/database";

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
        tags: unit.plane().map(|plane| (plane.label().to_owned(), "true".to_owned())).into_iter().collect(),
        replicas,
        port: None,
        health_check: None,
        spread,
        host: Some(HostAccess {
            network: true,
            mounts: mounts(state, unit),
            files: files(state, unit)?,
            capabilities: capabilities(unit),
            overlaps: unit.overlaps(),
            stop_grace_seconds: stop_grace_seconds(state, unit)?,
        }),
    })
}

/// The folder of `unit` on its hosts.
pub(crate) fn folder(state: &State, unit: Unit) -> String {
    let root = state.settings.value("platform", "dataDir").unwrap_or(HOST_DATA);
    format!("{}/{unit}", root.trim_end_matches('/'))
}

/// Where a host keeps PostgreSQL's files: its account is kept out of the role's own folder.
pub(crate) fn database_files(state: &State) -> String {
    format!("{}-files", folder(state, Unit::Database))
}

/// The image that `unit` runs from.
pub(crate) fn image(state: &State, unit: Unit) -> String {
    if let Some(own) = state.settings.value(unit.as_str(), "image") {
        return own.to_owned();
    }
    let of_all = platform_image(state);
    match (unit, of_all.rsplit_once(':')) {
        (Unit::Database, Some((_, tag))) => format!("{DATABASE_IMAGE}:{tag}"),
        _ => of_all.to_owned(),
    }
}

/// The image that roles run from unless they have one of their own.
pub(crate) fn platform_image(state: &State) -> &str {
    state.settings.value("platform", "image").unwrap_or(&state.wishes.image)
}

fn command(unit: Unit) -> Command {
    Command::Words(["deisd", "run", unit.as_str()].map(str::to_owned).to_vec())
}

fn mounts(state: &State, unit: Unit) -> Vec<Mount> {
    let mount = |source: &str, target: &str, read_only| Mount {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
    };
    let socket = state.settings.value("platform", "engineSocket").unwrap_or(HOST_ENGINE);
    let engine = unit.has_engine().then(|| mount(socket, ENGINE, false));
    let files = (unit == Unit::Database).then(|| mount(&database_files(state), DATABASE_DATA, false));
    [mount(&folder(state, unit), DATA, false)].into_iter().chain(files).chain(engine).collect()
}

/// Beyond the engine's usual ones: the publisher sets rules of its host's firewall.
fn capabilities(unit: Unit) -> Vec<String> {
    match unit {
        Unit::Publisher => ["NET_ADMIN", "NET_RAW"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    }
}
