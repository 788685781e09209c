//! Folders that roles keep their data in: not every engine makes them itself.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;

use crate::fleet::State;
use crate::unit::{Unit, workload};

/// Makes those of this host.
pub(super) fn make_folders(state: &State) -> anyhow::Result<()> {
    Unit::ALL
        .into_iter()
        .try_for_each(|unit| make_folder(Path::new(&workload::folder(state, unit)), 0o700))?;
    make_folder(Path::new(&workload::database_files(state)), 0o711)
}

/// The same where settings cannot be read.
pub(super) fn make_default_folders() -> anyhow::Result<()> {
    let root = Path::new(workload::HOST_DATA);
    Unit::ALL.into_iter().try_for_each(|unit| make_folder(&root.join(unit.as_str()), 0o700))
}

fn make_folder(path: &Path, mode: u32) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    made.with_context(|| format!("failed to make {}; run this as root", path.display()))
}
