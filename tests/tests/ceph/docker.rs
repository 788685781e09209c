//! The Docker Engine and skopeo as clients of a registry whose store is the cluster.

use crate::registry::{PASSWORD, Registry, USERNAME, noise};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// The layer's length: more than one part.
const LENGTH: usize = 20 << 20;

/// Pushes an image with one registry, and pulls it from the other.
pub(crate) fn push_and_pull(pushed: &Registry, pulled: &Registry) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("content"), noise(u64::from(std::process::id()), LENGTH)).unwrap();
    let archive = folder.path().join("image.tar");
    run(Command::new("tar").arg("-C").arg(folder.path()).arg("-cf").arg(&archive).arg("content"));
    let config = folder.path().join("docker");
    let docker = |arguments: &[&str]| docker(&config, arguments);
    let name = |registry: &Registry| format!("{}/deis/on-ceph:v1", registry.address);
    let (first, second) = (name(pushed), name(pulled));
    docker(&["import", archive.to_str().unwrap(), &first]);
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", &first]);
    for registry in [pushed, pulled] {
        docker(&["login", "-u", USERNAME, "-p", PASSWORD, &registry.address.to_string()]);
    }
    docker(&["push", &first]);
    docker(&["image", "rm", &first]);
    docker(&["pull", &second]);
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", &second]), id);
    docker(&["image", "rm", &second]);
    copy_with_skopeo(&second, &folder.path().join("copied"));
}

fn copy_with_skopeo(image: &str, target: &Path) {
    if Command::new("skopeo").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: skopeo is not installed");
        return;
    }
    let credentials = format!("{USERNAME}:{PASSWORD}");
    let mut copy = Command::new("skopeo");
    copy.args(["--insecure-policy", "copy", "--src-tls-verify=false", "--src-creds", &credentials]);
    run(copy.arg(format!("docker://{image}")).arg(format!("dir:{}", target.display())));
}

fn docker(config: &Path, arguments: &[&str]) -> String {
    run(Command::new("docker").arg("--config").arg(config).args(arguments))
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
