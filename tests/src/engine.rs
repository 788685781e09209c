//! Looking at the engine, and cleaning up behind a platform.

use std::process::Command;
use std::time::Duration;

use crate::command::{Output, run};

/// Where the machine's own engine listens.
pub(crate) const USUAL: &str = "unix:///var/run/docker.sock";

/// Runs the engine's own client on the engine at `host`.
pub(crate) fn docker(host: &str, arguments: &[&str]) -> Output {
    run(Command::new("docker").args(["--host", host]).args(arguments), Duration::from_secs(60))
}

/// Names of the containers that carry `label`, stopped ones included.
pub(crate) fn containers(host: &str, label: &str) -> Vec<String> {
    let filter = format!("label={label}");
    let listed = docker(host, &["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).succeeded();
    listed.stdout.lines().map(str::to_owned).collect()
}

/// Removes every container that carries `label`, and the network and images of that platform.
pub(crate) fn clean(host: &str, label: &str, network: &str, registry: &str) {
    let names = containers(host, label);
    for name in &names {
        docker(host, &["rm", "-f", "-v", name]);
    }
    docker(host, &["network", "rm", network]);
    let images = docker(host, &["images", "--format", "{{.Repository}}:{{.Tag}}", &format!("{registry}/*")]);
    for image in images.stdout.lines() {
        docker(host, &["rmi", "-f", image]);
    }
}
