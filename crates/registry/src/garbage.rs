//! Garbage collection: what no release needs any more goes.
//!
//! The controller says which tags its releases use; the rest of those repositories' tags goes, then what nothing refers
//! to any more. Pushes go on meanwhile, here and at other registries: see `entry` for why nothing that they rely on is
//! removed. A blob goes in two steps, see `remove_blobs`. Killed anywhere, the next collection finishes the work.

use crate::{
    body, catalog,
    digest::Digest,
    entry::{self, Entry, is_old},
    error::RequestError,
    layout,
    link::Link,
    manifest,
    manifest_content::ManifestContent,
    repository::RepositoryName,
    stamp::Stamp,
    state::State,
    tag::Reference,
    tags,
};
use axum::{Json, body::Body, extract};
use bytes::Bytes;
use deis_store::{ObjectKey, ObjectMeta};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::SystemTime,
};
use tracing::info;

/// The largest request in bytes: hundreds of thousands of tags.
const REQUEST_LIMIT: u64 = 32 << 20;

/// What to keep: the body of `POST /internal/garbage`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarbageRequest {
    /// Repository → the tags and digests that are in use. Repositories that are not named keep everything; one that
    /// is named with an empty list, as for an app that was deleted, loses everything.
    pub keep: BTreeMap<String, Vec<String>>,
}

/// What was removed: the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarbageReport {
    /// How many tags.
    pub tags: u64,
    /// How many manifests.
    pub manifests: u64,
    /// How many blobs.
    pub blobs: u64,
    /// How many bytes in those blobs.
    pub bytes: u64,
}

type Keep = BTreeMap<RepositoryName, BTreeSet<Reference>>;

/// What the name of a blob says behind the stamp when no repository had it.
const UNUSED: &str = "unused";

/// A manifest of a repository.
struct Manifest {
    content: ManifestContent,
    entries: Vec<Entry>,
}

/// A repository's manifests, read once.
type Manifests = HashMap<Digest, Manifest>;

/// One collection under way.
struct Collection<'a> {
    state: &'a State,
    /// What is old is what was old then: whatever is written or asked for since is spared.
    started: SystemTime,
    report: GarbageReport,
    /// The copies of blobs that repositories have.
    linked: HashSet<Stamp>,
    /// Those that a repository had until this collection.
    unlinked: HashSet<Stamp>,
}

/// `POST /internal/garbage`: removes what is in no release, and tells how much. One collection at a time.
pub(crate) async fn collect(
    extract::State(state): extract::State<Arc<State>>,
    request: Body,
) -> Result<Json<GarbageReport>, RequestError> {
    let request = body::read(request, REQUEST_LIMIT, state.limits.idle).await?;
    let request = serde_json::from_slice(&request);
    let request: GarbageRequest =
        request.map_err(|_| RequestError::Query { reason: "the body is no garbage request" })?;
    let keep = parse(&request)?;
    let _collecting = state.collection.lock().await;
    let mut collection = Collection::new(&state);
    for name in catalog::names(&state).await? {
        collection.clean_repository(&name, keep.get(&name)).await?;
    }
    collection.remove_blobs().await?;
    let report = collection.report;
    info!(report.tags, report.manifests, report.blobs, report.bytes, "collected garbage");
    Ok(Json(report))
}

/// Refuses the whole request when a name or a reference is wrong: what was meant to be kept must not go.
fn parse(request: &GarbageRequest) -> Result<Keep, RequestError> {
    let reference = |text: &String| {
        Reference::parse(text)
            .ok_or(RequestError::Query { reason: "a text to keep is neither tag nor digest" })
    };
    let entry = |(name, kept): (&String, &Vec<String>)| {
        let parsed = RepositoryName::parse(name).ok_or_else(|| RequestError::Name { name: name.clone() })?;
        Ok((parsed, kept.iter().map(reference).collect::<Result<_, _>>()?))
    };
    request.keep.iter().map(entry).collect()
}

impl<'a> Collection<'a> {
    fn new(state: &'a State) -> Self {
        Self {
            state,
            started: SystemTime::now(),
            report: GarbageReport::default(),
            linked: HashSet::new(),
            unlinked: HashSet::new(),
        }
    }

    fn is_old(&self, meta: &ObjectMeta) -> bool {
        is_old(meta, self.started, self.state.limits.garbage_grace)
    }

    /// Removes what the repository does not need, and takes note of the blobs that it still has.
    ///
    /// What refers is read before what is referred to: whatever is pushed meanwhile, and so may be missing in the
    /// first, is young in the second.
    async fn clean_repository(
        &mut self,
        name: &RepositoryName,
        keep: Option<&BTreeSet<Reference>>,
    ) -> Result<(), RequestError> {
        let tagged = self.clean_tags(name, keep).await?;
        let mut manifests = self.read_manifests(name).await?;
        if let Some(keep) = keep {
            let young = manifests.iter().filter(|(_, manifest)| !self.are_old(&manifest.entries));
            let kept = keep.iter().filter_map(Reference::as_digest);
            let roots = young.map(|(digest, _)| *digest).chain(kept).chain(tagged).collect();
            let live = reachable(&manifests, roots);
            self.remove_manifests(name, &mut manifests, &live).await?;
        }
        let used = manifests.values().flat_map(|manifest| &manifest.content.blobs).copied().collect();
        self.clean_links(name, &used).await
    }

    /// Removes the tags that are not to be kept, and gives what the others stand for.
    async fn clean_tags(
        &mut self,
        name: &RepositoryName,
        keep: Option<&BTreeSet<Reference>>,
    ) -> Result<Vec<Digest>, RequestError> {
        let mut remaining = Vec::new();
        for (tag, entries) in tags::all(self.state, name).await? {
            let is_kept = keep.is_none_or(|keep| keep.contains(&Reference::Tag(tag)));
            // A push is done before its release exists, so a young tag may be one that the controller does not know yet.
            if !is_kept && self.are_old(&entries) {
                self.remove(&entries).await?;
                self.report.tags += 1;
            } else {
                self.remove_replaced(&entries).await?;
                remaining.extend(entries.last().and_then(tags::digest_of));
            }
        }
        Ok(remaining)
    }

    async fn read_manifests(&self, name: &RepositoryName) -> Result<Manifests, RequestError> {
        let mut manifests = Manifests::new();
        for (hex, entries) in entry::folders(&*self.state.store, &layout::manifests(name)).await? {
            let Some(digest) = Digest::parse_hex(&hex) else {
                continue;
            };
            self.remove_replaced(&entries).await?;
            // One that cannot be read ends the collection: what it refers to is not known, so nothing may go.
            if let Some(content) = manifest::read_content(self.state, name, &digest).await? {
                manifests.insert(digest, Manifest { content, entries });
            }
        }
        Ok(manifests)
    }

    /// Removes the manifests that are not `live`, from the store and from `manifests`.
    async fn remove_manifests(
        &mut self,
        name: &RepositoryName,
        manifests: &mut Manifests,
        live: &HashSet<Digest>,
    ) -> Result<(), RequestError> {
        for (digest, Manifest { content, entries }) in
            manifests.extract_if(|digest, _| !live.contains(digest))
        {
            self.remove(&entries).await?;
            self.report.manifests += 1;
            if let Some(subject) = &content.subject {
                let folder = layout::referrer(name, subject, &digest);
                let mut entries = entry::all(&*self.state.store, &folder).await?;
                entries.retain(|entry| self.is_old(&entry.meta));
                self.remove(&entries).await?;
            }
        }
        Ok(())
    }

    /// Lets the repository forget blobs that no manifest of it uses, and takes note of those it still has.
    async fn clean_links(
        &mut self,
        name: &RepositoryName,
        used: &HashSet<Digest>,
    ) -> Result<(), RequestError> {
        for (hex, entries) in entry::folders(&*self.state.store, &layout::blob_links(name)).await? {
            let is_used = Digest::parse_hex(&hex).is_none_or(|digest| used.contains(&digest));
            let stamps = entries.iter().filter_map(|entry| Some(Link::parse(entry)?.blob));
            if is_used || !self.are_old(&entries) {
                self.linked.extend(stamps);
                self.remove_replaced(&entries).await?;
            } else {
                self.unlinked.extend(stamps);
                self.remove(&entries).await?;
            }
        }
        Ok(())
    }

    /// Removes the blobs that no repository has had since an earlier collection.
    ///
    /// Somebody may have seen a repository's link to a blob just before it went, and link to the blob once more. So
    /// what no repository has is marked first, and nobody builds on what is marked; it goes when the mark is old, and
    /// still no repository has it.
    async fn remove_blobs(&mut self) -> Result<(), RequestError> {
        let mut metas = self.state.store.list(layout::BLOBS, None);
        let mut blob: Option<Entry> = None;
        while let Some(meta) = metas.try_next().await? {
            let Some(entry) = Entry::parse(meta) else {
                continue;
            };
            // In the order of names, a mark comes right behind its blob.
            let mark = Some(&entry).filter(|entry| !entry.detail.is_empty());
            if let Some(blob) = blob.take() {
                self.judge_blob(&blob, mark.filter(|mark| mark.stamp == blob.stamp)).await?;
            }
            blob = Some(entry).filter(|entry| entry.detail.is_empty());
        }
        match blob {
            Some(blob) => self.judge_blob(&blob, None).await,
            None => Ok(()),
        }
    }

    async fn judge_blob(&mut self, blob: &Entry, mark: Option<&Entry>) -> Result<(), RequestError> {
        let store = &*self.state.store;
        let is_linked = self.linked.contains(&blob.stamp);
        let is_young = !self.is_old(&blob.meta);
        match mark {
            Some(mark) if is_linked => store.delete(&mark.meta.key).await?,
            _ if is_linked || is_young => {}
            Some(mark) if self.unlinked.contains(&blob.stamp) => {
                store.put_bytes(&mark.meta.key, Bytes::new()).await?;
            }
            Some(mark) if self.is_old(&mark.meta) => {
                store.delete(&blob.meta.key).await?;
                store.delete(&mark.meta.key).await?;
                self.report.blobs += 1;
                self.report.bytes += blob.meta.size;
            }
            Some(_) => {}
            None => {
                let key = ObjectKey::parse(&format!("{}.{UNUSED}", blob.meta.key));
                let key = key.expect("a blob's key is far from the longest");
                store.put_bytes(&key, Bytes::new()).await?;
            }
        }
        Ok(())
    }

    /// Whether all entries are old, so that nobody builds on any of them.
    fn are_old(&self, entries: &[Entry]) -> bool {
        entries.iter().all(|entry| self.is_old(&entry.meta))
    }

    /// Removes old entries that others have taken the place of.
    async fn remove_replaced(&self, entries: &[Entry]) -> Result<(), RequestError> {
        for entry in entries.iter().rev().skip(1).filter(|entry| self.is_old(&entry.meta)) {
            self.state.store.delete(&entry.meta.key).await?;
        }
        Ok(())
    }

    async fn remove(&self, entries: &[Entry]) -> Result<(), RequestError> {
        Ok(entry::remove(&*self.state.store, entries).await?)
    }
}

/// The roots, what they list, and what says something about them.
fn reachable(manifests: &Manifests, roots: HashSet<Digest>) -> HashSet<Digest> {
    let mut about: HashMap<Digest, Vec<Digest>> = HashMap::new();
    for (digest, manifest) in manifests {
        if let Some(subject) = manifest.content.subject {
            about.entry(subject).or_default().push(*digest);
        }
    }
    let mut pending: Vec<_> = roots.into_iter().collect();
    let mut live = HashSet::new();
    while let Some(digest) = pending.pop() {
        if live.insert(digest) {
            pending
                .extend(manifests.get(&digest).into_iter().flat_map(|manifest| &manifest.content.manifests));
            pending.extend(about.get(&digest).into_iter().flatten());
        }
    }
    live
}
