//! What the store holds of one repository at one time.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use deis_runtime::file::write_atomically;
use deis_runtime::secrets::random_hex;
use deis_store::{ObjectKey, ObjectStore};
use serde::{Deserialize, Serialize};

use crate::app_uuid::AppUuid;

/// Where in the store repositories are.
pub(super) const PREFIX: &str = "repositories";
/// The file in a repository that holds the name of the manifest that it was last equal with.
const MARK: &str = "deis-mirrored";
/// The largest manifest, in bytes: some 100,000 branches.
const MAX_MANIFEST: u64 = 16 << 20;
/// How many random digits names have.
const NAME_DIGITS: usize = 24;

/// Branches, and the packs that lead to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Branches and tags, and their objects.
    pub(super) refs: BTreeMap<String, String>,
    /// The branch that clones check out.
    pub(super) head: Option<String>,
    /// The packs' names, in the order in which git must read them.
    pub(super) packs: Vec<String>,
}

impl Manifest {
    /// The manifest called `name`; none if the store has none of that name, as after the database went back in time.
    pub(super) async fn find(
        store: &dyn ObjectStore,
        app: &AppUuid,
        name: &str,
    ) -> anyhow::Result<Option<Self>> {
        let key = ObjectKey::parse(&text(app, name))
            .with_context(|| format!("the copy that counts has the name {name:?}, which cannot be one"))?;
        let content = match store.get_bytes(&key, MAX_MANIFEST).await {
            Err(error) if error.is_not_found() => return Ok(None),
            content => content?,
        };
        let understood = serde_json::from_slice(&content);
        understood.map(Some).with_context(|| format!("failed to understand {key} in the store"))
    }

    /// Stores it under a new name, which is returned.
    pub(super) async fn write(&self, store: &dyn ObjectStore, app: &AppUuid) -> anyhow::Result<String> {
        let name = new_name("manifest");
        let content = serde_json::to_vec(self).context("failed to write a manifest")?;
        store.put_bytes(&key(app, &name), content.into()).await?;
        Ok(name)
    }

    /// It, called `name`, and everything that it names.
    pub(super) fn keys(&self, app: &AppUuid, name: &str) -> Vec<ObjectKey> {
        let packs = self.packs.iter().map(String::as_str);
        packs.chain([name]).filter_map(|name| ObjectKey::parse(&text(app, name)).ok()).collect()
    }
}

/// What all objects of the app of this UUID are called after.
pub(super) fn prefix(app: &str) -> String {
    format!("{PREFIX}/{app}/")
}

/// Where the object `name`, which this program chose, is.
pub(super) fn key(app: &AppUuid, name: &str) -> ObjectKey {
    ObjectKey::parse(&text(app, name))
        .expect("UUIDs and our own names are made of characters that keys may have")
}

/// A name that no other object has.
pub(super) fn new_name(kind: &str) -> String {
    format!("{kind}-{}", &random_hex()[..NAME_DIGITS])
}

fn text(app: &AppUuid, name: &str) -> String {
    format!("{}{name}", prefix(app.as_str()))
}

/// The manifest that the repository here was last equal with, if ever.
pub(super) fn mark(repository: &Path) -> Option<String> {
    let text = std::fs::read_to_string(repository.join(MARK)).ok()?;
    Some(text.trim().to_owned())
}

/// Notes that the repository is equal with the manifest `name`.
pub(super) fn set_mark(repository: &Path, name: &str) -> anyhow::Result<()> {
    write_atomically(&repository.join(MARK), format!("{name}\n").as_bytes(), 0o600)
        .context("failed to note which copy a repository is equal with")
}
