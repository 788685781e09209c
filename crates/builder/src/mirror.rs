//! Copies of repositories in the store, so that a builder can move to another host.
//!
//! Per app: packs that git makes and reads, each holding what the ones before it lack, and manifests, each of which names
//! the packs and the branches that they lead to. Nothing there is ever changed. Which manifest counts is said by the
//! controller, and changed by it only for a builder that knows the one that counts: of two builders that take a push at the
//! same time, as when one was cut off and replaced, one is refused. A push is acknowledged when its manifest counts.

mod copy;
mod manifest;
mod pack;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use deis_api::client::InternalClient;
use deis_store::{ObjectMeta, ObjectStore, StoreError};
use futures::StreamExt;
use tracing::{info, warn};

use crate::app_uuid::AppUuid;
use crate::lock::Lock;
use crate::repository::Repository;

pub(crate) use copy::{Copy, Draft};
use manifest::{Manifest, PREFIX, mark, prefix, set_mark};

/// How often a copy is tried to be read that is replaced by another builder meanwhile.
const TRIES: usize = 3;
/// What nobody refers to for so long was left behind by a builder that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 60 * 60);

/// The copies of all repositories.
#[derive(Clone)]
pub(crate) struct Mirror {
    store: Arc<dyn ObjectStore>,
    controller: InternalClient,
}

impl Mirror {
    /// Copies in `store`, of which `controller` says which count.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, controller: InternalClient) -> Self {
        Self { store, controller }
    }

    /// Makes `repository` equal to the copy that counts, if it is not; the lock says that nothing else changes it.
    pub(crate) async fn restore(
        &self,
        app: &AppUuid,
        repository: &Repository,
        _lock: &Lock,
    ) -> anyhow::Result<Copy> {
        let mut tried = 0;
        loop {
            let name = self.counting(app).await?;
            tried += 1;
            match self.bring(app, repository, name.as_deref()).await {
                Ok(()) => return Ok(Copy::new(self.clone(), app.clone(), repository.clone(), name)),
                // Another builder replaced it and removed what nobody needs any more.
                Err(_) if tried < TRIES && self.counting(app).await? != name => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn bring(&self, app: &AppUuid, repository: &Repository, name: Option<&str>) -> anyhow::Result<()> {
        let Some(name) = name else { return Ok(()) };
        if mark(&repository.path).as_deref() == Some(name) {
            return Ok(());
        }
        let Some(manifest) = Manifest::find(&*self.store, app, name).await? else {
            // Another builder's may count by now, and this one be gone for that.
            ensure!(self.counting(app).await?.as_deref() == Some(name), "another copy counts since just now");
            warn!(%app, copy = name, "the copy that counts is not in the store; what is here goes on");
            return Ok(());
        };
        for pack in &manifest.packs {
            pack::take_in(&*self.store, app, pack, &repository.path).await?;
        }
        pack::check_whole(&repository.path, manifest.refs.values()).await?;
        pack::point(repository, &manifest.refs).await?;
        if let Some(branch) = &manifest.head {
            repository.point_head(branch).context("failed to set HEAD")?;
        }
        info!(%app, copy = name, "brought a repository here");
        set_mark(&repository.path, name)
    }

    /// The name of the manifest that counts; none before the first push.
    async fn counting(&self, app: &AppUuid) -> anyhow::Result<Option<String>> {
        let name = self.controller.repository_copy(app.as_str()).await;
        name.context("failed to ask which copy of the repository counts")
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
        for object in self.objects(app).await? {
            self.store.delete(&object.key).await?;
        }
        Ok(())
    }

    /// Removes what builders that were killed left behind of an app that exists.
    pub(crate) async fn sweep(&self, app: &AppUuid) -> anyhow::Result<()> {
        let is_old =
            |object: &ObjectMeta| object.modified.elapsed().is_ok_and(|passed| passed >= LEFT_BEHIND);
        let mut old: Vec<_> = self.objects(app.as_str()).await?;
        old.retain(is_old);
        if old.is_empty() {
            return Ok(());
        }
        // Read after they were listed: whatever counts later names no old object that this one does not.
        let needed = match self.counting(app).await? {
            Some(name) => match Manifest::find(&*self.store, app, &name).await? {
                Some(manifest) => manifest.keys(app, &name),
                // Nobody knows what of it is still needed.
                None => return Ok(()),
            },
            None => Vec::new(),
        };
        for object in old.iter().filter(|object| !needed.contains(&object.key)) {
            self.store.delete(&object.key).await?;
        }
        Ok(())
    }

    async fn objects(&self, app: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let listed = self.store.list(&prefix(app), None);
        listed.collect::<Vec<_>>().await.into_iter().collect()
    }
}
