//! Labels: how the platform knows its containers again, whichever engine made them.

use std::collections::HashMap;

use deis_model::{ContainerName, HealthCheck, Workload, WorkloadId};

/// Which platform it belongs to.
pub(crate) const PLATFORM: &str = "io.deis.platform";
/// The app.
pub(crate) const APP: &str = "io.deis.app";
/// The release, as `v2`.
pub(crate) const RELEASE: &str = "io.deis.release";
/// The process type.
pub(crate) const PROCESS: &str = "io.deis.process";
/// Its number within the process type.
pub(crate) const NUMBER: &str = "io.deis.number";
/// Of the workload it was made from.
pub(crate) const FINGERPRINT: &str = "io.deis.fingerprint";
/// The port it listens on; empty if none.
pub(crate) const PORT: &str = "io.deis.port";
/// Its health check in JSON; empty if none.
pub(crate) const HEALTH: &str = "io.deis.health";
/// Unix time in seconds after which nobody waits for it any more; empty for workloads.
pub(crate) const DEADLINE: &str = "io.deis.deadline";
/// On containers that build: the platform. Empty on the images they make.
pub(crate) const BUILD: &str = "io.deis.build";

/// On containers of Docker Swarm that have one: the relative weight of processor time, 1–1024.
pub(crate) const SHARES: &str = "io.deis.shares";

/// Set by Docker Swarm on every container of its own: the service, the slot or host, and the task, as `web.1.ab12`.
pub(crate) const TASK_NAME: &str = "com.docker.swarm.task.name";
/// Set by Docker Swarm: the host.
const NODE: &str = "com.docker.swarm.node.id";

/// Labels of one replica of `workload`.
///
/// Every key is set, if to nothing: one that is left out would be taken from the image, which is not ours to trust.
pub(crate) fn of_replica(platform: &str, workload: &Workload, number: u32) -> HashMap<String, String> {
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
pub(crate) fn of_job(platform: &str, name: &ContainerName, deadline: u64) -> HashMap<String, String> {
    let mut labels = of_container(platform, name);
    labels.insert(DEADLINE.to_owned(), deadline.to_string());
    labels
}

/// Labels of every container of a workload that has one per host: which number each has, its host tells.
pub(crate) fn of_each(platform: &str, workload: &Workload) -> HashMap<String, String> {
    let mut labels = of_replica(platform, workload, 1);
    labels.insert(NUMBER.to_owned(), String::new());
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
pub(crate) fn filters(platform: &str, labels: &[(&str, String)]) -> HashMap<String, Vec<String>> {
    let ours = std::iter::once((PLATFORM, platform.to_owned())).chain(labels.iter().cloned());
    let wanted = ours.map(|(key, value)| format!("{key}={value}")).collect();
    HashMap::from([("label".to_owned(), wanted)])
}

/// The labels that containers of this workload carry.
pub(crate) fn of_workload(id: &WorkloadId) -> [(&'static str, String); 3] {
    [(APP, id.app.to_string()), (RELEASE, id.release.to_string()), (PROCESS, id.process.to_string())]
}

/// The platform whose containers have plain names on the engine, as `blog_v2.web.1`.
const PLAIN: &str = "deis";

/// A container's name on the engine: other platforms' names are prefixed, so that several can share one engine.
pub(crate) fn engine_name(platform: &str, name: &ContainerName) -> String {
    if platform == PLAIN { name.to_string() } else { format!("{platform}.{name}") }
}

fn parse_engine_name(platform: &str, text: &str) -> Option<ContainerName> {
    let text = text.trim_start_matches('/');
    let plain = if platform == PLAIN { text } else { text.strip_prefix(platform)?.strip_prefix('.')? };
    ContainerName::parse(plain).ok()
}

/// The name of a container whose labels agree with it and say that it is `platform`'s.
pub(crate) fn own_name(
    platform: &str,
    engine_name: &str,
    labels: &HashMap<String, String>,
) -> Option<ContainerName> {
    let name = match labels.contains_key(TASK_NAME) {
        true => parse_task_name(platform, engine_name, labels)?,
        false => parse_engine_name(platform, engine_name)?,
    };
    let agree = of_container(platform, &name);
    let numbered = !text(labels, NUMBER).is_empty() || !labels.contains_key(TASK_NAME);
    [PLATFORM, APP, RELEASE, PROCESS, NUMBER]
        .iter()
        .filter(|key| **key != NUMBER || numbered)
        .all(|key| labels.get(*key) == agree.get(*key))
        .then_some(name)
}

/// Docker Swarm names containers after the service, whose name says what its labels say.
fn parse_task_name(
    platform: &str,
    engine_name: &str,
    labels: &HashMap<String, String>,
) -> Option<ContainerName> {
    let text = engine_name.trim_start_matches('/');
    let service =
        text.split('.').next().filter(|_| labels.get(TASK_NAME).is_some_and(|name| name == text))?;
    let workload = workload(labels)?;
    let name = match number(labels) {
        Some(number) => ContainerName { workload, number },
        None => return each(platform, service, workload, self::text(labels, NODE)),
    };
    (service == service_name(platform, &name.to_string())).then_some(name)
}

fn each(platform: &str, service: &str, workload: WorkloadId, node: &str) -> Option<ContainerName> {
    let ours = service == service_name(platform, &workload.to_string());
    ours.then(|| ContainerName { workload, number: number_on(node) })
}

/// The workload that the labels name.
pub(crate) fn workload(labels: &HashMap<String, String>) -> Option<WorkloadId> {
    let told = [APP, RELEASE, PROCESS].map(|key| text(labels, key));
    ContainerName::parse(&format!("{}_{}.{}.1", told[0], told[1], told[2])).ok().map(|name| name.workload)
}

/// The number that the labels give; none where the host tells it.
pub(crate) fn number(labels: &HashMap<String, String>) -> Option<u32> {
    text(labels, NUMBER).parse().ok()
}

/// Whether Docker Swarm keeps the container, so that only it may be asked to change it.
pub(crate) fn is_swarms(labels: Option<&HashMap<String, String>>) -> bool {
    labels.is_some_and(|labels| labels.contains_key(TASK_NAME))
}

/// The length of the readable beginning of a service's name: 63 is what Docker Swarm takes.
const READABLE_LIMIT: usize = 40;

/// The name of the Docker Swarm service for a container or workload `text` of `platform`, as `blog-v2-web-1-0123456789abcdef`.
///
/// Dots and underscores are not for services, so a checksum of the whole tells names apart that read alike.
pub(crate) fn service_name(platform: &str, text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let readable: String = text.chars().map(plain).take(READABLE_LIMIT).collect();
    format!("{}-{:016x}", readable.trim_matches('-'), checksum(&format!("{platform}/{text}")))
}

/// The number of the one container on the host with this id: stable, and hardly ever that of another.
pub(crate) fn number_on(node: &str) -> u32 {
    // 31 bits, not 0.
    u32::try_from(checksum(node) >> 33).map_or(1, |number| number.max(1))
}

/// FNV-1a, because names must stay the same with every version of the platform.
fn checksum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The port it listens on.
pub(crate) fn port(labels: &HashMap<String, String>) -> Option<u16> {
    labels.get(PORT)?.parse().ok()
}

/// Its health check.
pub(crate) fn health_check(labels: &HashMap<String, String>) -> Option<HealthCheck> {
    serde_json::from_str(labels.get(HEALTH)?).ok()
}

/// The value of `key`, if it is set.
pub(crate) fn text<'a>(labels: &'a HashMap<String, String>, key: &str) -> &'a str {
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
    fn service_names_are_short_plain_and_different() {
        assert_eq!(service_name("deis", "blog_v2.web.1"), "blog-v2-web-1-123027f4cd5468d9");
        assert_ne!(service_name("deis", "blog_v2.web.1"), service_name("other", "blog_v2.web.1"));
        assert!(service_name("deis", &"a".repeat(200)).len() <= 63);
    }

    #[test]
    fn a_task_is_ours_when_its_service_is_named_after_its_labels() {
        let name = ContainerName::parse("blog_v2.web.7").expect("valid");
        let task = format!("{}.1.ab12", service_name("deis", "blog_v2.web.7"));
        let mut labels = of_job("deis", &name, 0);
        labels.insert(TASK_NAME.to_owned(), task.clone());
        labels.insert(NODE.to_owned(), "host1".to_owned());
        assert_eq!(own_name("deis", &task, &labels), Some(name.clone()));
        assert_eq!(own_name("other", &task, &labels), None);
        assert_eq!(own_name("deis", "/blog_v2.web.7", &labels), None);
        labels.insert(NUMBER.to_owned(), "8".to_owned());
        assert_eq!(own_name("deis", &task, &labels), None);
        labels.insert(NUMBER.to_owned(), String::new());
        let each = format!("{}.host1.ab12", service_name("deis", "blog_v2.web"));
        labels.insert(TASK_NAME.to_owned(), each.clone());
        let expected = ContainerName { number: number_on("host1"), ..name };
        assert_eq!(own_name("deis", &each, &labels), Some(expected));
    }

    #[test]
    fn a_container_is_ours_when_its_name_agrees_with_its_labels() {
        check("/blog_v2.web.1", "deis", true);
        check("/blog_v2.web.2", "deis", false);
        check("/friendly_curie", "deis", false);
        check("/blog_v2.web.1", "other", false);
    }
}
