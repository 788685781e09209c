//! The copy of one repository while it is worked on.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use deis_api::internal::CopyChange;
use tokio::sync::Mutex;
use tracing::warn;

use crate::app_uuid::AppUuid;
use crate::error::PushError;
use crate::reference::{RefUpdate, is_sound, is_zero};
use crate::repository::Repository;

use super::Mirror;
use super::manifest::{Manifest, set_mark};
use super::pack::{self, Quarantine, Refs};

/// More packs than this become one.
pub(super) const MAX_PACKS: usize = 20;
/// How often the controller is asked to have a copy count, and with which pause.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// One repository's copy, from when the repository was opened under its lock until that is given back.
pub(crate) struct Copy {
    mirror: Mirror,
    app: AppUuid,
    repository: Repository,
    counting: Mutex<Counting>,
}

/// The manifest that counted when this was last known.
struct Counting {
    /// None before the first push.
    name: Option<String>,
    /// Whether it was made here, of what git may not have let in yet.
    is_ours: bool,
}

/// A copy in the store that does not count yet.
pub(crate) struct Draft {
    name: String,
    manifest: Manifest,
    /// The manifest that it was made from.
    was: Option<(String, Manifest)>,
}

impl Copy {
    pub(super) fn new(mirror: Mirror, app: AppUuid, repository: Repository, name: Option<String>) -> Self {
        let counting = Mutex::new(Counting { name, is_ours: false });
        Self { mirror, app, repository, counting }
    }

    /// Stores the repository as `updates`, of objects in `quarantine`, will make it; none if that changes nothing.
    pub(crate) async fn draft(
        &self,
        updates: &[RefUpdate],
        quarantine: &Quarantine,
        head: Option<String>,
    ) -> anyhow::Result<Option<Draft>> {
        let was = self.counted().await?;
        let mut refs = pack::refs(&self.repository.path).await?;
        updates.iter().for_each(|update| apply(&mut refs, update));
        let old = was.as_ref().map(|(_, manifest)| manifest.clone()).unwrap_or_default();
        if was.is_some() && (&old.refs, &old.head) == (&refs, &head) {
            return Ok(None);
        }
        let packs = self.packs(&old, &refs, quarantine).await?;
        let manifest = Manifest { refs, head, packs };
        let name = manifest.write(&*self.mirror.store, &self.app).await?;
        Ok(Some(Draft { name, manifest, was }))
    }

    /// The packs of the copy with one more for what it lacks, or one for everything.
    async fn packs(
        &self,
        old: &Manifest,
        refs: &Refs,
        quarantine: &Quarantine,
    ) -> anyhow::Result<Vec<String>> {
        let path = &self.repository.path;
        let known: BTreeSet<String> = old.refs.values().cloned().collect();
        let grows = old.packs.len() < MAX_PACKS && pack::has_all(path, known.iter()).await?;
        let (mut packs, known) = if grows { (old.packs.clone(), known) } else { Default::default() };
        if refs.values().all(|object| known.contains(object)) {
            return Ok(packs);
        }
        packs.extend(pack::store(&*self.mirror.store, &self.app, path, quarantine, refs, &known).await?);
        Ok(packs)
    }

    /// Has `draft` count: from then on a push is the platform's. Refuses if another builder took one since.
    pub(crate) async fn publish(&self, draft: Draft) -> Result<(), PushError> {
        let was = draft.was.as_ref().map(|(name, _)| name.clone());
        let change = CopyChange { was, copy: draft.name.clone() };
        let mut counts = self.mirror.controller.replace_repository_copy(self.app.as_str(), &change).await;
        for _ in 1..TRIES {
            match &counts {
                Err(error) if error.status().is_none_or(|status| status.is_server_error()) => {}
                _ => break,
            }
            tokio::time::sleep(PAUSE).await;
            counts = self.mirror.controller.replace_repository_copy(self.app.as_str(), &change).await;
        }
        match counts.map_err(PushError::Unpublished)? {
            true => {
                *self.counting.lock().await = Counting { name: Some(draft.name.clone()), is_ours: true };
                if let Some((name, manifest)) = draft.was {
                    self.discard(&name, &manifest, Some((&draft.name, &draft.manifest))).await;
                }
                Ok(())
            }
            // The draft stays for the sweep: it may have counted for a while, if an answer was lost, and another builder
            // may have gone on from it.
            false => Err(PushError::Overtaken),
        }
    }

    /// Removes a draft that is not wanted any more.
    pub(crate) async fn drop_draft(&self, draft: Draft) {
        let was = draft.was.as_ref().map(|(name, manifest)| (name.as_str(), manifest));
        self.discard(&draft.name, &draft.manifest, was).await;
    }

    /// Removes the manifest `name` and what it names, but for what `kept` does; what fails is swept up later.
    async fn discard(&self, name: &str, manifest: &Manifest, kept: Option<(&str, &Manifest)>) {
        let kept = kept.map(|(name, manifest)| manifest.keys(&self.app, name)).unwrap_or_default();
        for key in manifest.keys(&self.app, name).iter().filter(|key| !kept.contains(key)) {
            if let Err(error) = self.mirror.store.delete(key).await {
                warn!(app = %self.app, %key, %error, "failed to remove an old copy of a repository");
            }
        }
    }

    /// Notes that the repository is equal with its copy when git is done; where git let in less, the copy follows it.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        if !self.counting.lock().await.is_ours {
            return Ok(());
        }
        if let Some(draft) = self.draft(&[], &Quarantine::new(), self.repository.head()).await? {
            self.publish(draft).await?;
        }
        let counting = self.counting.lock().await;
        counting.name.as_ref().map_or(Ok(()), |name| set_mark(&self.repository.path, name))
    }

    /// The manifest that counts, as far as is known here.
    async fn counted(&self) -> anyhow::Result<Option<(String, Manifest)>> {
        let Some(name) = self.counting.lock().await.name.clone() else { return Ok(None) };
        let manifest = Manifest::find(&*self.mirror.store, &self.app, &name).await;
        let manifest = manifest.context("failed to read the copy of the repository")?;
        // The database went back to a time whose copy is gone: the next stores everything that is here.
        Ok(Some((name, manifest.unwrap_or_default())))
    }
}

/// Does to `refs` what git will do; what git is to refuse, as it has no place for such a name, is left out.
fn apply(refs: &mut Refs, update: &RefUpdate) {
    let RefUpdate { new, name, .. } = update;
    if is_zero(new) {
        refs.remove(name);
    } else if is_sound(name) && has_place(refs, name) {
        refs.insert(name.clone(), new.clone());
    }
}

/// Whether no ref lies where `name` would be a folder, nor is one of its folders a ref.
fn has_place(refs: &Refs, name: &str) -> bool {
    let within = format!("{name}/");
    let is_folder = refs.range(within.clone()..).next().is_some_and(|(found, _)| found.starts_with(&within));
    let mut folders = name.match_indices('/').map(|(end, _)| &name[..end]);
    !is_folder && !folders.any(|folder| refs.contains_key(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, new: &str, expected: &[&str]) {
        let mut refs: Refs =
            ["refs/heads/main", "refs/heads/a/b"].map(|name| (name.to_owned(), "1".to_owned())).into();
        apply(&mut refs, &RefUpdate { old: "0".into(), new: new.into(), name: name.into() });
        assert_eq!(refs.into_keys().collect::<Vec<_>>(), expected, "{name}");
    }

    #[test]
    fn updates_are_applied_as_git_does() {
        let before = ["refs/heads/a/b", "refs/heads/main"];
        check("refs/heads/b", "2", &["refs/heads/a/b", "refs/heads/b", "refs/heads/main"]);
        check("refs/heads/main", "000", &["refs/heads/a/b"]);
        check("refs/heads/gone", "000", &before);
        for refused in ["refs/heads/a", "refs/heads/main/x", "refs/heads/a b", "main", "refs/heads/x.lock"] {
            check(refused, "2", &before);
        }
    }
}
