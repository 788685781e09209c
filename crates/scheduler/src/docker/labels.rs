//! Labels: how the platform knows its containers again.

use std::collections::HashMap;

use deis_model::{ContainerName, HealthCheck, Workload, WorkloadId};

/// Which platform it belongs to.
pub(super) const PLATFORM: &str = "io.deis.platform";
/// The app.
pub(super) const APP: &str = "io.deis.app";
/// The release, as `v2`.
pub(super) const RELEASE: &str = "io.deis.release";
/// The process type.
pub(super) const PROCESS: &str = "io.deis.process";
/// Its number within the process type.
pub(super) const NUMBER: &str = "io.deis.number";
/// Of the workload it was made from.
pub(super) const FINGERPRINT: &str = "io.deis.fingerprint";
/// The port it listens on; empty if none.
pub(super) const PORT: &str = "io.deis.port";
/// Its health check in JSON; empty if none.
pub(super) const HEALTH: &str = "io.deis.health";
/// Unix time in seconds after which nobody waits for it any more; empty for workloads.
pub(super) const DEADLINE: &str = "io.deis.deadline";
/// On containers that build: the platform. Empty on the images they make.
pub(super) const BUILD: &str = "io.deis.build";

/// Labels of one replica of `workload`.
///
/// Every key is set, if to nothing: one that is left out would be taken from the image, which is not ours to trust.
pub(super) fn of_replica(platform: &str, workload: &Workload, number: u32) -> HashMap<String, String> {
    let name = ContainerName { workload: workload.id.clone(), number };
    let mut labels = of_container(platform, &name);
    let port = workload.port.map(|port| port.to_string()).unwrap_or_default();
    let health = workload.health_check.as_ref().map(|check| {
        serde_json::to_string(check).expect("a health check is plain data, which always serializes")
    });
    labels.insert(FINGERPRINT.to_owned(), workload.fingerprint());
    labels.insert(PORT.to_owned(), port);
    labels.insert(HEALTH.to_owned(), health.unwrap_or_default());
    labels
}

/// Labels of the container of a job that nobody waits for after `deadline`.
pub(super) fn of_job(platform: &str, name: &ContainerName, deadline: u64) -> HashMap<String, String> {
    let mut labels = of_container(platform, name);
    labels.insert(DEADLINE.to_owned(), deadline.to_string());
    labels
}

fn of_container(platform: &str, name: &ContainerName) -> HashMap<String, String> {
    let workload = &name.workload;
    let known = [
        (PLATFORM, platform.to_owned()),
        (APP, workload.app.to_string()),
        (RELEASE, workload.release.to_string()),
        (PROCESS, workload.process.to_string()),
        (NUMBER, name.number.to_string()),
    ];
    let empty = [FINGERPRINT, PORT, HEALTH, DEADLINE, BUILD].map(|key| (key, String::new()));
    known.into_iter().chain(empty).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Filters of the engine's lists for containers of `platform` with these labels besides.
pub(super) fn filters(platform: &str, labels: &[(&str, String)]) -> HashMap<String, Vec<String>> {
    let ours = std::iter::once((PLATFORM, platform.to_owned())).chain(labels.iter().cloned());
    let wanted = ours.map(|(key, value)| format!("{key}={value}")).collect();
    HashMap::from([("label".to_owned(), wanted)])
}

/// The labels that containers of this workload carry.
pub(super) fn of_workload(id: &WorkloadId) -> [(&'static str, String); 3] {
    [(APP, id.app.to_string()), (RELEASE, id.release.to_string()), (PROCESS, id.process.to_string())]
}

/// The platform whose containers have plain names on the engine, as `blog_v2.web.1`.
const PLAIN: &str = "deis";

/// A container's name on the engine: other platforms' names are prefixed, so that several can share one engine.
pub(super) fn engine_name(platform: &str, name: &ContainerName) -> String {
    if platform == PLAIN { name.to_string() } else { format!("{platform}.{name}") }
}

fn parse_engine_name(platform: &str, text: &str) -> Option<ContainerName> {
    let text = text.trim_start_matches('/');
    let plain = if platform == PLAIN { text } else { text.strip_prefix(platform)?.strip_prefix('.')? };
    ContainerName::parse(plain).ok()
}

/// The name of a container whose labels agree with it and say that it is `platform`'s.
pub(super) fn own_name(
    platform: &str,
    engine_name: &str,
    labels: &HashMap<String, String>,
) -> Option<ContainerName> {
    let name = parse_engine_name(platform, engine_name)?;
    let agree = of_container(platform, &name);
    [PLATFORM, APP, RELEASE, PROCESS, NUMBER]
        .iter()
        .all(|key| labels.get(*key) == agree.get(*key))
        .then_some(name)
}

/// The port it listens on.
pub(super) fn port(labels: &HashMap<String, String>) -> Option<u16> {
    labels.get(PORT)?.parse().ok()
}

/// Its health check.
pub(super) fn health_check(labels: &HashMap<String, String>) -> Option<HealthCheck> {
    serde_json::from_str(labels.get(HEALTH)?).ok()
}

/// The value of `key`, if it is set.
pub(super) fn text<'a>(labels: &'a HashMap<String, String>, key: &str) -> &'a str {
    labels.get(key).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(engine_name: &str, platform: &str, expected: bool) {
        let name = ContainerName::parse("blog_v2.web.1").expect("valid");
        let labels = of_job("deis", &name, 0);
        assert_eq!(own_name(platform, engine_name, &labels).is_some(), expected, "{engine_name} {platform}");
    }

    #[test]
    fn a_container_is_ours_when_its_name_agrees_with_its_labels() {
        check("/blog_v2.web.1", "deis", true);
        check("/blog_v2.web.2", "deis", false);
        check("/friendly_curie", "deis", false);
        check("/blog_v2.web.1", "other", false);
    }
}
