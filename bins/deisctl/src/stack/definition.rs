//! What the stack is made from: the script, the packages and the image's settings, carried in this program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The files of the definition.
pub(super) struct Definition {
    build: &'static str,
    packages: &'static str,
    config: &'static str,
}

impl Definition {
    /// The one that this program carries.
    pub(super) fn embedded() -> Self {
        Self {
            build: include_str!("../../../../stack/build"),
            packages: include_str!("../../../../stack/packages"),
            config: include_str!("../../../../stack/config"),
        }
    }

    /// 16 hex digits that differ when anything in the definition does.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.build, self.packages, self.config] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hex::encode(&hash.finalize()[..8])
    }

    /// Writes the script and the packages into `directory`; gives back the script.
    pub(super) fn write(&self, directory: &Path) -> io::Result<PathBuf> {
        fs::write(directory.join("packages"), self.packages)?;
        let script = directory.join("build");
        fs::write(&script, self.build)?;
        Ok(script)
    }

    /// The image's settings in Dockerfile instructions, `label` among them.
    pub(super) fn changes(&self, label: &str) -> Vec<String> {
        let lines =
            self.config.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).chain([format!("LABEL {label}")]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: Definition =
        Definition { build: "a", packages: "b", config: "# why\nENV A=1\n\nUSER app\n" };

    #[test]
    fn the_image_says_what_it_was_made_from() {
        assert_eq!(DEFINITION.changes("k=v"), ["ENV A=1", "USER app", "LABEL k=v"]);
    }

    #[test]
    fn the_digest_tells_definitions_apart() {
        let moved = Definition { build: "ab", packages: "", ..DEFINITION };
        assert_ne!(DEFINITION.digest(), moved.digest());
        assert_eq!(DEFINITION.digest().len(), 16);
    }

    #[test]
    fn every_setting_is_an_instruction_that_an_import_takes() {
        for change in Definition::embedded().changes("k=v") {
            let word = change.split(' ').next().unwrap_or_default();
            assert!(
                ["LABEL", "ENV", "WORKDIR", "USER", "CMD", "ENTRYPOINT", "EXPOSE"].contains(&word),
                "{change}"
            );
        }
    }
}
