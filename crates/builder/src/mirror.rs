//! Copies of repositories in the store, so that a builder can move to another host.
//!
//! Per app: bundles that git makes and reads, each holding what the ones before it lack, and a manifest that names
//! them with the branches they lead to. The manifest is written last; whoever finds it finds everything it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, bail};
use deis_runtime::file::write_atomically;
use deis_runtime::secrets::random_hex;
use deis_store::{ObjectKey, ObjectStore, StoreError};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use tracing::info;

use crate::app_uuid::AppUuid;
use crate::git::git;
use crate::lock::Lock;
use crate::repository::Repository;

/// Where in the store repositories are.
const PREFIX: &str = "repositories";
/// The file in a repository that holds the generation it was last equal with.
const MARK: &str = "deis-mirrored";
/// More bundles than this become one.
const MAX_BUNDLES: usize = 20;
/// The largest manifest, in bytes: some 100,000 branches.
const MAX_MANIFEST: u64 = 16 << 20;

/// What the store holds of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    /// Grows with every change.
    generation: u64,
    /// Branches and tags, and their objects.
    refs: BTreeMap<String, String>,
    /// The branch that clones check out.
    head: Option<String>,
    /// The objects' last names, in the order in which git must read them.
    bundles: Vec<String>,
}

/// The copies of all repositories.
#[derive(Clone)]
pub(crate) struct Mirror {
    store: Arc<dyn ObjectStore>,
}

impl Mirror {
    /// Copies in `store`.
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Brings `repository` up to what another host stored, if that is newer than what this one last saw.
    pub(crate) async fn restore(
        &self,
        app: &AppUuid,
        repository: &Repository,
        _lock: &Lock,
    ) -> anyhow::Result<()> {
        let Some(manifest) = self.manifest(app).await? else { return Ok(()) };
        if manifest.generation <= mark(&repository.path) {
            return Ok(());
        }
        let place =
            tempfile::tempdir_in(&repository.path).context("failed to make room for a repository's copy")?;
        for bundle in &manifest.bundles {
            let file = place.path().join("bundle");
            self.fetch(app, bundle, &file).await?;
            let source = file.to_string_lossy().into_owned();
            run(git(&repository.path).args(["fetch", "--quiet", "--force", &source, "+refs/*:refs/*"]))
                .await?;
        }
        self.point(repository, &manifest).await?;
        info!(%app, generation = manifest.generation, "brought a repository here");
        set_mark(&repository.path, manifest.generation)
    }

    /// Makes branches and tags those of `manifest`, no more and no fewer.
    async fn point(&self, repository: &Repository, manifest: &Manifest) -> anyhow::Result<()> {
        let here = refs(repository).await?;
        let gone = here.keys().filter(|name| !manifest.refs.contains_key(*name));
        let gone = gone.map(|name| format!("delete {name}\n"));
        let moved = manifest.refs.iter().filter(|(name, object)| here.get(*name) != Some(object));
        let moved = moved.map(|(name, object)| format!("update {name} {object}\n"));
        feed(git(&repository.path).args(["update-ref", "--stdin"]), &gone.chain(moved).collect::<String>())
            .await?;
        match &manifest.head {
            Some(branch) => repository.point_head(branch).context("failed to set HEAD"),
            None => Ok(()),
        }
    }

    /// Stores what `repository` has and the copy lacks. The lock says that it does not change meanwhile.
    pub(crate) async fn store(
        &self,
        app: &AppUuid,
        repository: &Repository,
        _lock: &Lock,
    ) -> anyhow::Result<()> {
        let old = self.manifest(app).await?.unwrap_or_default();
        let (refs, head) = (refs(repository).await?, repository.head());
        if old.refs == refs && old.head == head {
            return Ok(());
        }
        let known = self.known(repository, &old).await?;
        let mut manifest = Manifest { generation: old.generation + 1, refs, head, bundles: Vec::new() };
        if let Some(known) = &known {
            manifest.bundles.clone_from(&old.bundles);
            if manifest.refs.values().all(|object| known.contains(object)) {
                return self.publish(app, repository, &old, &manifest).await;
            }
        }
        let excluded = known.unwrap_or_default();
        if let Some(bundle) = self.bundle(app, repository, manifest.generation, &excluded).await? {
            manifest.bundles.push(bundle);
        }
        self.publish(app, repository, &old, &manifest).await
    }

    /// The objects that the copy surely has; none if it is better made anew.
    async fn known(&self, repository: &Repository, old: &Manifest) -> anyhow::Result<Option<Vec<String>>> {
        if old.bundles.is_empty() || old.bundles.len() >= MAX_BUNDLES {
            return Ok(None);
        }
        let objects: Vec<String> = old.refs.values().cloned().collect();
        for object in &objects {
            let held = git(&repository.path).args(["cat-file", "-e", object]).status().await;
            if !held.context("failed to run git cat-file")?.success() {
                return Ok(None);
            }
        }
        Ok(Some(objects))
    }

    /// Stores everything that `excluded` objects do not lead to; none if there is nothing.
    async fn bundle(
        &self,
        app: &AppUuid,
        repository: &Repository,
        generation: u64,
        excluded: &[String],
    ) -> anyhow::Result<Option<String>> {
        let place =
            tempfile::tempdir_in(&repository.path).context("failed to make room for a repository's copy")?;
        let file = place.path().join("bundle");
        if refs(repository).await?.is_empty() {
            return Ok(None);
        }
        let mut create = git(&repository.path);
        create.args(["bundle", "create", "--quiet"]).arg(&file).arg("--all");
        create.args(excluded.iter().map(|object| format!("^{object}")));
        run(&mut create).await?;
        let name = format!("{generation:010}-{}", &random_hex()[..16]);
        let opened = tokio::fs::File::open(&file).await.context("failed to read a bundle")?;
        self.store.put(&key(app, &name), ReaderStream::new(opened).boxed()).await?;
        Ok(Some(name))
    }

    /// Makes `manifest` the one that counts, and removes what only `old` named.
    async fn publish(
        &self,
        app: &AppUuid,
        repository: &Repository,
        old: &Manifest,
        manifest: &Manifest,
    ) -> anyhow::Result<()> {
        let text = serde_json::to_vec(manifest).context("failed to write a manifest")?;
        self.store.put_bytes(&manifest_key(app), text.into()).await?;
        set_mark(&repository.path, manifest.generation)?;
        for bundle in old.bundles.iter().filter(|bundle| !manifest.bundles.contains(bundle)) {
            self.store.delete(&key(app, bundle)).await?;
        }
        Ok(())
    }

    /// The UUIDs of all apps that have a copy.
    pub(crate) async fn apps(&self) -> Result<BTreeSet<String>, StoreError> {
        let mut apps = BTreeSet::new();
        let mut objects = self.store.list(&format!("{PREFIX}/"), None);
        while let Some(object) = objects.next().await {
            apps.extend(object?.key.as_str().split('/').nth(1).map(str::to_owned));
        }
        Ok(apps)
    }

    /// Removes the copy of the app of this UUID.
    pub(crate) async fn remove(&self, app: &str) -> Result<(), StoreError> {
        let mut objects = self.store.list(&format!("{PREFIX}/{app}/"), None);
        while let Some(object) = objects.next().await {
            self.store.delete(&object?.key).await?;
        }
        Ok(())
    }

    async fn manifest(&self, app: &AppUuid) -> anyhow::Result<Option<Manifest>> {
        match self.store.get_bytes(&manifest_key(app), MAX_MANIFEST).await {
            Ok(text) => serde_json::from_slice(&text).map(Some).with_context(|| {
                format!("failed to understand {}; remove it to begin a new copy", manifest_key(app))
            }),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn fetch(&self, app: &AppUuid, bundle: &str, file: &Path) -> anyhow::Result<()> {
        let mut object = self.store.get(&key(app, bundle)).await?;
        let failed = || format!("failed to fetch {}", key(app, bundle));
        let mut target = tokio::fs::File::create(file).await.with_context(failed)?;
        while let Some(piece) = object.content.next().await {
            target.write_all(&piece.with_context(failed)?).await.with_context(failed)?;
        }
        target.flush().await.with_context(failed)
    }
}

/// Branches and tags of `repository`, and their objects.
async fn refs(repository: &Repository) -> anyhow::Result<BTreeMap<String, String>> {
    let listed =
        run(git(&repository.path).args(["for-each-ref", "--format=%(refname) %(objectname)"])).await?;
    let text = String::from_utf8(listed.stdout).context("failed to read the names of branches")?;
    let pair = |line: &str| line.split_once(' ').map(|(name, object)| (name.to_owned(), object.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

async fn run(command: &mut tokio::process::Command) -> anyhow::Result<Output> {
    judge(command.output().await.context("failed to start git")?)
}

async fn feed(command: &mut tokio::process::Command, input: &str) -> anyhow::Result<Output> {
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("failed to start git")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.context("failed to write to git")?;
    }
    judge(child.wait_with_output().await.context("failed to run git")?)
}

fn judge(output: Output) -> anyhow::Result<Output> {
    if !output.status.success() {
        bail!("git failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output)
}

fn key(app: &AppUuid, name: &str) -> ObjectKey {
    let text = format!("{PREFIX}/{app}/{name}");
    ObjectKey::parse(&text).expect("UUIDs and our own names are made of characters that keys may have")
}

fn manifest_key(app: &AppUuid) -> ObjectKey {
    key(app, "manifest.json")
}

/// The generation that this host's copy was last equal with; 0: never.
fn mark(repository: &Path) -> u64 {
    let text = std::fs::read_to_string(repository.join(MARK)).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn set_mark(repository: &Path, generation: u64) -> anyhow::Result<()> {
    write_atomically(&repository.join(MARK), format!("{generation}\n").as_bytes(), 0o600)
        .context("failed to note which copy a repository is equal with")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use deis_store::MemoryStore;

    use super::*;
    use crate::repository::Repositories;

    const APP: &str = "6c5e6a5e-5a1e-4d5e-8d3b-3a2f7f0f9d11";

    /// One host: its repositories, and a work tree that pushes into them.
    struct Host {
        directory: tempfile::TempDir,
        repositories: Repositories,
        mirror: Mirror,
        app: AppUuid,
    }

    impl Host {
        fn new(store: &Arc<MemoryStore>) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let repositories = Repositories::new(directory.path());
            let app = AppUuid::parse(APP).unwrap();
            Self { directory, repositories, mirror: Mirror::new(store.clone()), app }
        }

        /// Opens, has `change` work on the bare repository, and copies it.
        async fn push(&self, change: impl FnOnce(&Path)) {
            let lock = self.repositories.lock(&self.app).unwrap().unwrap();
            let repository = self.repositories.open(&self.app, &lock).await.unwrap();
            self.mirror.restore(&self.app, &repository, &lock).await.unwrap();
            change(&repository.path);
            self.mirror.store(&self.app, &repository, &lock).await.unwrap();
        }

        async fn branches(&self) -> BTreeMap<String, String> {
            let mut found = BTreeMap::new();
            let lock = self.repositories.lock(&self.app).unwrap().unwrap();
            let repository = self.repositories.open(&self.app, &lock).await.unwrap();
            self.mirror.restore(&self.app, &repository, &lock).await.unwrap();
            for (name, object) in refs(&repository).await.unwrap() {
                let subject = output(&repository.path, &["log", "-1", "--format=%s", &object]);
                found.insert(name.strip_prefix("refs/heads/").unwrap().to_owned(), subject);
            }
            found
        }
    }

    fn output(repository: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.env("GIT_DIR", repository).env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments);
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Ada")
                .env(format!("GIT_{role}_EMAIL"), "ada@example.com");
        }
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("git speaks text").trim().to_owned()
    }

    /// Adds a commit with an empty tree on `branch`.
    fn commit(repository: &Path, branch: &str, subject: &str) {
        let tree = output(repository, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
        let reference = format!("refs/heads/{branch}");
        let listed = output(repository, &["for-each-ref", "--format=%(objectname)", &reference]);
        let mut arguments = vec!["commit-tree", &tree, "-m", subject];
        if !listed.is_empty() {
            arguments.extend(["-p", &listed]);
        }
        let made = output(repository, &arguments);
        output(repository, &["update-ref", &reference, &made]);
    }

    fn expect(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(branch, subject)| ((*branch).to_owned(), (*subject).to_owned())).collect()
    }

    #[tokio::test]
    async fn a_repository_follows_its_builder_from_host_to_host() {
        let store = Arc::new(MemoryStore::default());
        let (one, two) = (Host::new(&store), Host::new(&store));
        one.push(|repository| commit(repository, "main", "first")).await;
        one.push(|repository| commit(repository, "main", "second")).await;
        assert_eq!(two.branches().await, expect(&[("main", "second")]));
        two.push(|repository| {
            commit(repository, "main", "third");
            commit(repository, "topic", "aside");
        })
        .await;
        assert_eq!(one.branches().await, expect(&[("main", "third"), ("topic", "aside")]));
        one.push(|repository| drop(output(repository, &["update-ref", "-d", "refs/heads/topic"]))).await;
        assert_eq!(two.branches().await, expect(&[("main", "third")]));
        assert!(two.directory.path().join(format!("{APP}.git")).exists());
    }

    #[tokio::test]
    async fn many_pushes_become_one_bundle_now_and_then() {
        let store = Arc::new(MemoryStore::default());
        let (one, two) = (Host::new(&store), Host::new(&store));
        for number in 0..MAX_BUNDLES + 3 {
            one.push(|repository| commit(repository, "main", &format!("commit {number}"))).await;
        }
        let objects = store.list("repositories/", None).count().await;
        assert!(objects <= MAX_BUNDLES + 1, "{objects}");
        assert_eq!(two.branches().await, expect(&[("main", &format!("commit {}", MAX_BUNDLES + 2))]));
    }

    #[tokio::test]
    async fn the_copy_of_an_app_that_is_gone_is_removed() {
        let store = Arc::new(MemoryStore::default());
        let host = Host::new(&store);
        host.push(|repository| commit(repository, "main", "first")).await;
        assert_eq!(host.mirror.apps().await.unwrap(), [APP.to_owned()].into());
        host.mirror.remove(APP).await.unwrap();
        assert_eq!(store.list("", None).count().await, 0);
    }
}
