//! What a build container holds before it starts: the runner, the buildpacks, the app's config and its source.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use deis_model::ConfigKey;

use crate::source::{ArchiveWriter, Layout};

/// The runner and the buildpacks: path in the image without the leading `/`, content.
const SCRIPTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// The stack's user that builds and runs apps.
const APP_USER: u64 = 2000;

/// The files of a build container: the scripts, and source and config where the runner looks for them.
pub(super) struct SlugFiles {
    config: BTreeMap<String, String>,
}

impl SlugFiles {
    /// The files of a build with this config.
    pub(super) fn new(config: BTreeMap<String, String>) -> Self {
        Self { config }
    }
}

impl Layout for SlugFiles {
    fn begin(&mut self, archive: &mut tar::Builder<ArchiveWriter>) -> io::Result<()> {
        for folder in ["runner", "buildpacks"] {
            directory(archive, folder, 0)?;
        }
        for (path, content) in SCRIPTS {
            let mode = if content.starts_with(b"#!") { 0o755 } else { 0o644 };
            file(archive, path, content, mode, 0)?;
        }
        directory(archive, "tmp/env", APP_USER)?;
        for (key, value) in self.config.iter().filter(|(key, _)| ConfigKey::parse(key).is_ok()) {
            // The runner deletes them with the rest of /tmp before the container becomes an image.
            file(archive, &format!("tmp/env/{key}"), value.as_bytes(), 0o600, APP_USER)?;
        }
        directory(archive, "tmp/build", APP_USER)
    }

    fn place(&self, path: &Path, _: bool) -> Option<PathBuf> {
        Some(Path::new("tmp/build").join(path))
    }

    fn owner(&self) -> u64 {
        APP_USER
    }

    fn replacement(&self, _: &Path) -> Option<&[u8]> {
        None
    }
}

fn file(
    archive: &mut tar::Builder<ArchiveWriter>,
    path: &str,
    content: &[u8],
    mode: u32,
    owner: u64,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    archive.append_data(&mut header, path, content)
}

fn directory(archive: &mut tar::Builder<ArchiveWriter>, path: &str, owner: u64) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o755);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_size(0);
    archive.append_data(&mut header, path, io::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_part_of_the_executable() {
        for path in ["runner/build", "runner/init"] {
            assert!(
                SCRIPTS.iter().any(|(name, content)| *name == path && content.starts_with(b"#!")),
                "{path}"
            );
        }
    }
}
