//! The packages of the workspace and what they depend on, as cargo tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// What cargo says of the workspace.
pub(crate) struct Workspace {
    /// Member → the members it depends on outside its tests.
    pub(crate) members: BTreeMap<String, BTreeSet<String>>,
    /// Names of all packages that are built for this machine, members included.
    pub(crate) packages: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

impl Workspace {
    /// Asks cargo about the workspace in `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let metadata: Metadata = serde_json::from_slice(&cargo(
            root,
            &["metadata", "--format-version=1", "--locked", "--no-deps"],
        )?)?;
        let tree = cargo(
            root,
            &["tree", "--workspace", "--locked", "--prefix=none", "--format={p}", "--no-dedupe"],
        )?;
        let tree = String::from_utf8(tree)?;
        let packages = tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
        Ok(Self { members: members(&metadata), packages })
    }
}

fn members(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let members =
        || metadata.packages.iter().filter(|package| metadata.workspace_members.contains(&package.id));
    let names: BTreeSet<&str> = members().map(|package| package.name.as_str()).collect();
    let of = |package: &Package| {
        let lasting =
            package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
        lasting
            .map(|dependency| dependency.name.clone())
            .filter(|name| names.contains(name.as_str()))
            .collect()
    };
    members().map(|package| (package.name.clone(), of(package))).collect()
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).current_dir(root).args(arguments).output().context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "cargo {}: {}",
        arguments[0],
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}
