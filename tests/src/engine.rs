//! Looking at the engine, and cleaning up behind a platform.

use std::process::Command;
use std::time::Duration;

use crate::command::{Output, run};

/// How the engine's client names an image: one whose tag another image has taken keeps only its digest.
const IMAGE_NAME: &str = r#"{{.Repository}}{{if eq .Tag "<none>"}}@{{.Digest}}{{else}}:{{.Tag}}{{end}}"#;

/// Runs the engine's own client: on the engine at `host`, or on the usual one.
pub(crate) fn docker(host: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new("docker");
    command.args(host.iter().flat_map(|host| ["--host", host])).args(arguments);
    run(&mut command, Duration::from_secs(60))
}

/// Names of the containers that carry `label`, stopped ones included.
pub(crate) fn containers(host: Option<&str>, label: &str) -> Vec<String> {
    names(&list(host, label).succeeded())
}

fn list(host: Option<&str>, label: &str) -> Output {
    docker(host, &["ps", "-a", "--filter", &format!("label={label}"), "--format", "{{.Names}}"])
}

fn names(listed: &Output) -> Vec<String> {
    listed.stdout.lines().map(str::to_owned).collect()
}

/// Removes every container that carries `label`, and the network, volumes and images of that platform.
pub(crate) fn clean(host: Option<&str>, label: &str, network: &str, registry: &str) {
    for name in &names(&list(host, label)) {
        docker(host, &["rm", "-f", "-v", name]);
    }
    docker(host, &["network", "rm", network]);
    let volumes =
        docker(host, &["volume", "ls", "-q", "--filter", &format!("label=io.deis.build={network}")]);
    for volume in volumes.stdout.lines() {
        docker(host, &["volume", "rm", "-f", volume]);
    }
    // Asked for by pattern, the stack would be left out: there, a star stops at a slash.
    let images = docker(host, &["images", "--digests", "--format", IMAGE_NAME]);
    let registry = format!("{registry}/");
    for image in images.stdout.lines().filter(|image| image.starts_with(&registry)) {
        docker(host, &["rmi", "-f", image]);
    }
}
