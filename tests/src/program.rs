//! The programs that are tested.

use std::path::PathBuf;

/// An executable of this workspace, built before by `script/test` or `cargo build --bins`.
pub(crate) fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its own path");
    // Tests are in target/<profile>/deps, benchmarks beside the executables.
    let found =
        own.ancestors().skip(1).take(2).map(|directory| directory.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!("{name} is missing beside {}: build it with cargo build --bins", own.display())
    })
}

/// Cargo's target directory, which the tests are in.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its own path");
    let target = own.ancestors().find(|directory| directory.join("CACHEDIR.TAG").exists());
    target.expect("tests are in cargo's target directory").to_owned()
}
