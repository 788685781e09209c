//! Tasks of those who work on Deis: `cargo xtask <task>`.

mod layers;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context;

const USAGE: &str = "usage: cargo xtask <task>

  ci       everything that has to hold before a change is taken; arguments go to the test runner
  layers   whether crates depend only on the layers below them
";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((task, rest)) if task == "ci" => ci(rest),
        Some((task, [])) if task == "layers" => check_layers(),
        _ => {
            eprint!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

fn ci(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let script = root().join(".ci/run");
    let status = Command::new(&script)
        .args(arguments)
        .status()
        .with_context(|| format!("failed to run {}", script.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_layers() -> anyhow::Result<ExitCode> {
    let breaches = layers::breaches(&workspace::Workspace::read(&root())?);
    breaches.iter().for_each(|breach| println!("{breach}"));
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The top of the workspace: this package is one folder below it.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}
