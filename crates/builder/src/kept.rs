//! Which images of an app stay on the engine: those of its newest builds.

use std::io;
use std::path::PathBuf;

use deis_model::AppId;
use deis_runtime::file::write_atomically;
use deis_scheduler::{Images, SchedulerError};

use crate::dockerfile::APP_LABEL;
use crate::repository::Repository;

/// The names of an app's newest images, the newest first, in a file in its repository.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    limit: usize,
}

impl Kept {
    /// The images of the app with this repository, at most `limit`.
    pub(crate) fn of(repository: &Repository, limit: usize) -> Self {
        Self { path: repository.path.join("deis-images"), limit: limit.max(1) }
    }

    /// The names, the newest first.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Makes `image` the newest. Called before it is built, so that no clean-up takes it for an old one.
    pub(crate) fn remember(&self, image: &str) -> io::Result<()> {
        let older = self.names()?.into_iter().filter(|name| name != image);
        let names: Vec<_> = std::iter::once(image.to_owned()).chain(older).take(self.limit).collect();
        write_atomically(&self.path, (names.join("\n") + "\n").as_bytes(), 0o600)
    }

    /// Removes the app's other images from the engine, except those in use.
    pub(crate) async fn remove_others(&self, app: &AppId, images: &dyn Images) -> Result<(), SchedulerError> {
        // Listed before the names are read: what is built meanwhile is not in the list.
        let found = images.list(&format!("{APP_LABEL}={app}")).await?;
        // Names that cannot be read keep everything.
        let Ok(names) = self.names() else { return Ok(()) };
        let marker = format!("/{app}:git-");
        for image in found.iter().filter(|image| image.contains(&marker) && !names.contains(image)) {
            images.remove_image(image).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn check(directory: &Path, remembered: &[&str], expected: &[&str]) {
        let kept = Kept::of(&Repository { path: directory.to_owned() }, 2);
        for image in remembered {
            kept.remember(image).unwrap();
        }
        assert_eq!(kept.names().unwrap(), expected);
    }

    #[test]
    fn only_the_newest_images_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        check(directory.path(), &[], &[]);
        check(directory.path(), &["a", "b"], &["b", "a"]);
        check(directory.path(), &["a"], &["a", "b"]);
        check(directory.path(), &["c"], &["c", "a"]);
    }
}
