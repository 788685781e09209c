//! Bare repositories, one per app: made whole or not at all, and replaced when they are broken.
//!
//! They are called after apps' UUIDs: an app that has the name of an earlier one finds nothing of it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use deis_runtime::file::write_atomically;
use tracing::warn;

use crate::app_uuid::AppUuid;
use crate::git::git;
use crate::lock::Lock;

/// All repositories of this builder.
#[derive(Clone, Debug)]
pub(crate) struct Repositories {
    root: PathBuf,
}

/// One app's repository.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// Its directory.
    pub(crate) path: PathBuf,
}

impl Repositories {
    /// The repositories below `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Takes the app's lock; none if a push is under way.
    pub(crate) fn lock(&self, app: &AppUuid) -> io::Result<Option<Lock>> {
        self.lock_name(app.as_str())
    }

    /// Opens the app's repository, made if missing. The lock says that nobody else does so now.
    ///
    /// One that git cannot read is kept aside as `<app>.broken-<seconds>`, and an empty one takes its place: the pusher
    /// has every commit, so nothing is lost.
    pub(crate) async fn open(&self, app: &AppUuid, _lock: &Lock) -> io::Result<Repository> {
        let repository = self.at(app);
        if repository.path.exists() && !repository.is_healthy().await? {
            let aside = self.root.join(format!("{app}.broken-{}", seconds()));
            warn!(%app, aside = %aside.display(), "set a broken repository aside");
            tokio::fs::rename(&repository.path, &aside).await?;
        }
        if !repository.path.exists() {
            self.create(&repository).await?;
        }
        Ok(repository)
    }

    /// The app's repository if there has been a push.
    pub(crate) fn find(&self, app: &AppUuid) -> Option<Repository> {
        Some(self.at(app)).filter(|repository| repository.path.exists())
    }

    /// What repositories, those set aside and locks are called after: UUIDs of apps, and names of apps where an
    /// earlier version made them.
    pub(crate) fn names(&self) -> io::Result<BTreeSet<String>> {
        let owners = self.entries()?.into_iter().filter_map(|entry| Some(owner(&entry)?.to_owned()));
        Ok(owners.collect())
    }

    /// Removes everything that is called after `name`, unless a push is under way there.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let Some(lock) = self.lock_name(name)? else { return Ok(()) };
        // Renamed first: whatever interrupts the removal, no half of a repository is left under its name.
        let leaving = tempfile::Builder::new().prefix(".removed-").tempdir_in(&self.root)?;
        for entry in self.entries()?.iter().filter(|entry| owner(entry) == Some(name)) {
            if !entry.ends_with(".lock") {
                std::fs::rename(self.root.join(entry), leaving.path().join(entry))?;
            }
        }
        lock.remove()?;
        leaving.close()
    }

    /// Removes what was being made or removed when a builder was killed.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            if [".removed-", ".new-"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.root)?.map(|entry| entry.map(|it| it.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        Ok(names.iter().filter_map(|name| Some(name.to_str()?.to_owned())).collect())
    }

    fn lock_name(&self, name: &str) -> io::Result<Option<Lock>> {
        Lock::try_take(&self.root.join(format!("{name}.lock")))
    }

    fn at(&self, app: &AppUuid) -> Repository {
        Repository { path: self.root.join(format!("{app}.git")) }
    }

    async fn create(&self, repository: &Repository) -> io::Result<()> {
        let making = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.root)?;
        let path = making.path().join("repository");
        let mut init = git(&path);
        init.args(["init", "--quiet", "--bare", "--template=", "--initial-branch=main"]).arg(&path);
        let done = init.env_remove("GIT_DIR").output().await?;
        if !done.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned()));
        }
        tokio::fs::rename(&path, &repository.path).await
    }
}

impl Repository {
    /// Whether git can read it and the commits its branches name.
    async fn is_healthy(&self) -> io::Result<bool> {
        let read = git(&self.path).args(["rev-list", "--max-count=1", "--all"]).output().await?;
        Ok(read.status.success())
    }

    /// The branch that clones check out, if there is one.
    pub(crate) fn head(&self) -> Option<String> {
        let head = std::fs::read_to_string(self.path.join("HEAD")).ok()?;
        head.trim_end().strip_prefix("ref: refs/heads/").map(str::to_owned)
    }

    /// Makes `branch` the one that clones check out.
    pub(crate) fn point_head(&self, branch: &str) -> io::Result<()> {
        write_atomically(&self.path.join("HEAD"), format!("ref: refs/heads/{branch}\n").as_bytes(), 0o644)
    }

    /// Collects garbage when there is enough of it. The lock says that no push is under way.
    pub(crate) async fn collect_garbage(&self, _lock: &Lock) -> io::Result<()> {
        let done = git(&self.path)
            .args(["-c", "gc.auto=2000", "-c", "gc.autoPackLimit=30", "-c", "gc.autoDetach=false"])
            .args(["gc", "--auto", "--quiet"])
            .output()
            .await?;
        match done.status.success() {
            true => Ok(()),
            false => Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned())),
        }
    }
}

/// What `entry`, as in `<owner>.git`, is called after; none if it is something else.
fn owner(entry: &str) -> Option<&str> {
    let (owner, kind) = entry.split_once('.').filter(|(owner, _)| !owner.is_empty())?;
    (kind == "git" || kind == "lock" || kind.starts_with("broken-")).then_some(owner)
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, expected: Option<&str>) {
        assert_eq!(owner(entry), expected, "{entry}");
    }

    #[test]
    fn only_what_belongs_to_an_app_has_an_owner() {
        check("blog.git", Some("blog"));
        check("blog.lock", Some("blog"));
        check("blog.broken-1700000000", Some("blog"));
        check("blog", None);
        check("blog.txt", None);
        check(".new-a1", None);
        check(".git", None);
        check("lost+found", None);
    }
}
