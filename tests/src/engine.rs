//! Looking at the engine, and cleaning up behind a platform.

use std::process::Command;
use std::time::Duration;

use crate::command::{Output, run};

/// Runs the engine's own client.
pub(crate) fn docker(arguments: &[&str]) -> Output {
    run(Command::new("docker").args(arguments), Duration::from_secs(60))
}

/// Names of the containers that carry `label`, stopped ones included.
pub(crate) fn containers(label: &str) -> Vec<String> {
    let filter = format!("label={label}");
    let listed = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).succeeded();
    listed.stdout.lines().map(str::to_owned).collect()
}

/// Removes every container that carries `label`, and the network and images of that platform.
pub(crate) fn clean(label: &str, network: &str, registry: &str) {
    let names = containers(label);
    for name in &names {
        docker(&["rm", "-f", "-v", name]);
    }
    docker(&["network", "rm", network]);
    let images = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", &format!("{registry}/*")]);
    for image in images.stdout.lines() {
        docker(&["rmi", "-f", image]);
    }
}
