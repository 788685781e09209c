//! Intent: the workloads and the route that an app's desired state asks for.

pub mod whitelist;

use std::collections::{BTreeMap, BTreeSet};

use crate::command::process_command;
use crate::formation::default_formation;
use crate::limit::parse_memory;
use crate::{
    AppId, AppRoute, Build, Canary, Config, Desired, Endpoint, Environment, Formation, HealthCheck, Limits,
    ProcessType, ReleaseContent, Workload, WorkloadId, canary,
};

/// The port that apps are told to listen on where neither their image nor their config names one.
pub const DEFAULT_PORT: u16 = 5000;

/// How many containers of each type `build` is to run.
///
/// Types that the build cannot start are left out. When nothing is left of a formation that wanted something, as after a
/// move from a buildpack to a Dockerfile, the build's default formation takes its place.
pub fn effective_formation(formation: &Formation, build: &Build) -> Formation {
    if formation.is_empty() {
        return runnable(&default_formation(build), build);
    }
    let kept = runnable(formation, build);
    let wanted_something = formation.values().any(|replicas| *replicas > 0);
    if kept.is_empty() && wanted_something { runnable(&default_formation(build), build) } else { kept }
}

fn runnable(formation: &Formation, build: &Build) -> Formation {
    let starts = formation.iter().filter(|(process, _)| can_start(build, process));
    starts.map(|(process, replicas)| (process.clone(), *replicas)).collect()
}

fn can_start(build: &Build, process: &ProcessType) -> bool {
    let declared = build.procfile.declares(process);
    match build.is_buildpack() {
        true => declared || (build.procfile.0.is_empty() && *process != ProcessType::cmd()),
        false => declared || *process == ProcessType::cmd(),
    }
}

/// The workloads of one release, in the order of their process types. `exposed` are the TCP ports that its image exposes.
pub fn workloads(desired: &Desired, release: &ReleaseContent, exposed: &[u16]) -> Vec<Workload> {
    let formation = |build: &Build| match desired.is_tried_out(release.version) {
        true => canary::formation(desired, build),
        false => effective_formation(&desired.formation, build),
    };
    workloads_of(desired, release, formation, exposed)
}

/// The workloads of the release that is tried out, promoted or not, with the containers that are for its part of the
/// requests: those that visitors reach.
pub fn canary_workloads(desired: &Desired) -> Vec<Workload> {
    let formation = |build: &Build| canary::formation(desired, build);
    desired.canary.iter().flat_map(|release| workloads_of(desired, release, formation, &[])).collect()
}

fn workloads_of(
    desired: &Desired,
    release: &ReleaseContent,
    formation: impl Fn(&Build) -> Formation,
    exposed: &[u16],
) -> Vec<Workload> {
    let Some(build) = &release.build else { return Vec::new() };
    let make = |(process, replicas)| workload(&desired.app, release, build, process, replicas, exposed);
    formation(build).into_iter().map(make).collect()
}

fn workload(
    app: &AppId,
    release: &ReleaseContent,
    build: &Build,
    process: ProcessType,
    replicas: u32,
    exposed: &[u16],
) -> Workload {
    let port = process.is_routable().then(|| port(&release.config, exposed));
    let mut environment = environment(app, release);
    if let Some(port) = port {
        environment.0.entry("PORT".to_owned()).or_insert_with(|| port.to_string());
    }
    Workload {
        image: build.image.clone(),
        command: process_command(build, &process),
        environment,
        limits: limits(&release.config, &process),
        tags: release.config.tags.clone(),
        replicas,
        port,
        health_check: port.map(|_| health_check(&release.config)),
        spread: crate::Spread::Replicas,
        host: None,
        id: WorkloadId { app: app.clone(), release: release.version, process },
    }
}

/// The environment of every container of a release: its config, `DEIS_APP` and `DEIS_RELEASE`.
pub fn environment(app: &AppId, release: &ReleaseContent) -> Environment {
    let mut values = release.config.values.0.clone();
    values.insert("DEIS_APP".to_owned(), app.to_string());
    values.insert("DEIS_RELEASE".to_owned(), release.version.to_string());
    Environment(values)
}

/// The limits of one process type.
pub fn limits(config: &Config, process: &ProcessType) -> Limits {
    let memory = config.memory.get(process.as_str()).and_then(|text| parse_memory(text).ok());
    let shares = config.cpu.get(process.as_str()).copied().filter(|shares| *shares > 0);
    Limits { memory_bytes: memory, cpu_shares: shares }
}

fn port(config: &Config, exposed: &[u16]) -> u16 {
    let configured =
        config.values.0.get("PORT").and_then(|text| text.trim().parse().ok()).filter(|port| *port > 0);
    configured.or_else(|| exposed.first().copied()).unwrap_or(DEFAULT_PORT)
}

fn health_check(config: &Config) -> HealthCheck {
    let value = |key: &str| config.values.0.get(key).map(|text| text.trim());
    let seconds = |key: &str| value(key).and_then(|text| text.parse().ok());
    HealthCheck {
        path: value("HEALTHCHECK_URL").filter(|path| path.starts_with('/')).map(str::to_owned),
        initial_delay_seconds: seconds("HEALTHCHECK_INITIAL_DELAY").unwrap_or(0),
        timeout_seconds: seconds("HEALTHCHECK_TIMEOUT").unwrap_or(1).max(1),
    }
}

/// The route of an app on a platform with this `domain`, leading to `endpoints`; a canary has none yet.
pub fn route(desired: &Desired, domain: &str, endpoints: Vec<Endpoint>) -> AppRoute {
    AppRoute {
        hosts: hosts(desired, domain),
        settings: whitelist::settings(desired),
        certificates: desired.certificates.clone(),
        release: desired.deployed.as_ref().map(|release| release.version),
        endpoints,
        health_check: desired.deployed.as_ref().and_then(asked_at_a_path),
        canary: desired.canary.as_ref().map(tried_out),
        wanted: Some(routable(desired).into_values().fold(0, u32::saturating_add)),
        ..AppRoute::new(desired.app.clone())
    }
}

/// A release that is tried out, without endpoints.
fn tried_out(release: &ReleaseContent) -> Canary {
    Canary { release: release.version, endpoints: Vec::new(), health_check: asked_at_a_path(release) }
}

/// The health check of a release, unless all there is to it is that ports accept.
fn asked_at_a_path(release: &ReleaseContent) -> Option<HealthCheck> {
    Some(health_check(&release.config)).filter(|check| check.path.is_some())
}

/// The hosts that lead to an app on a platform with this `domain`, in lower case, sorted.
pub fn hosts(desired: &Desired, domain: &str) -> Vec<String> {
    let own = std::iter::once(format!("{}.{domain}", desired.app));
    let hosts: BTreeSet<String> =
        own.chain(desired.domains.iter().cloned()).map(|name| name.to_ascii_lowercase()).collect();
    hosts.into_iter().collect()
}

/// How many containers of each routable type of the deployed release may get traffic.
pub fn routable(desired: &Desired) -> BTreeMap<ProcessType, u32> {
    let build = desired.deployed.as_ref().and_then(|release| release.build.as_ref());
    let formation = build.map(|build| effective_formation(&desired.formation, build)).unwrap_or_default();
    formation.into_iter().filter(|(process, _)| process.is_routable()).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::formation::tests::build;

    fn check(kind: &str, types: &str, formation: &[(&str, u32)], expected: &str) {
        let formation = formation.iter().map(|(name, n)| (ProcessType::parse(name).unwrap(), *n)).collect();
        let found = effective_formation(&formation, &build(kind, types));
        let text: Vec<_> = found.iter().map(|(process, n)| format!("{process}={n}")).collect();
        assert_eq!(text.join(" "), expected, "{kind} with {types:?}");
    }

    /// What is wanted of an app without anything but perhaps a release.
    pub(crate) fn desired(deployed: Option<ReleaseContent>) -> Desired {
        Desired {
            app: AppId::parse("blog").unwrap(),
            uuid: String::new(),
            owner: "ann".to_owned(),
            formation: Formation::default(),
            deployed,
            pending: None,
            trial: None,
            canary: None,
            domains: Vec::new(),
            settings: BTreeMap::new(),
            certificates: Vec::new(),
            routing: 0,
        }
    }

    fn wanted(formation: &[(&str, u32)], is_deployed: bool) -> Option<u32> {
        let release = ReleaseContent {
            version: crate::ReleaseVersion::FIRST,
            build: Some(build("buildpack", "web worker")),
            config: Config::empty(String::new(), "ann".to_owned(), time::OffsetDateTime::UNIX_EPOCH),
        };
        let formation = formation.iter().map(|(name, n)| (ProcessType::parse(name).unwrap(), *n)).collect();
        let desired = Desired { formation, ..desired(is_deployed.then_some(release)) };
        route(&desired, "example.com", Vec::new()).wanted
    }

    #[test]
    fn a_route_says_whether_anything_shall_serve() {
        assert_eq!(wanted(&[], true), Some(1));
        assert_eq!(wanted(&[("web", 3), ("worker", 2)], true), Some(3));
        assert_eq!(wanted(&[("web", 0), ("worker", 2)], true), Some(0));
        assert_eq!(wanted(&[("web", 3)], false), Some(0));
    }

    #[test]
    fn routers_learn_of_health_checks_with_a_path() {
        let release = |url: Option<&str>| {
            let mut config = Config::empty(String::new(), "ann".to_owned(), time::OffsetDateTime::UNIX_EPOCH);
            config.values.0.extend(url.map(|url| ("HEALTHCHECK_URL".to_owned(), url.to_owned())));
            ReleaseContent { version: crate::ReleaseVersion::FIRST, build: None, config }
        };
        let check = |deployed, canary, expected: [Option<&str>; 2]| {
            let desired = Desired { canary: Some(release(canary)), ..desired(Some(release(deployed))) };
            let route = route(&desired, "example.com", Vec::new());
            let found = [route.health_check, route.canary.unwrap().health_check];
            assert_eq!(found.map(|check| check?.path), expected.map(|path| path.map(str::to_owned)));
        };
        check(None, None, [None, None]);
        check(Some("/up"), Some("/well"), [Some("/up"), Some("/well")]);
        check(Some("up"), None, [None, None]);
    }

    #[test]
    fn a_first_build_gets_its_default() {
        check("buildpack", "web worker", &[], "web=1");
        check("dockerfile", "", &[], "cmd=1");
        check("image", "worker", &[], "cmd=1");
    }

    #[test]
    fn types_that_a_build_cannot_start_are_left_out() {
        check("buildpack", "web", &[("web", 2), ("worker", 3)], "web=2");
        check("buildpack", "web", &[("web", 0)], "web=0");
        check("dockerfile", "", &[("web", 2)], "cmd=1");
        check("buildpack", "worker", &[], "");
    }
}
