//! Garbage collection: what no release needs any more goes.
//!
//! The controller says which tags its releases use; the rest of those repositories' tags go, then what nothing refers
//! to any more. Pushes go on meanwhile: whatever was pushed or asked for within the grace period stays (see
//! `freshness`). Killed anywhere, the next collection finishes the work.

use crate::{
    body, catalog,
    digest::Digest,
    error::RequestError,
    freshness::{is_old, remove_if_old},
    layout, manifest,
    manifest_content::ManifestContent,
    repository::RepositoryName,
    state::State,
    tag::Reference,
    tags,
};
use axum::{Json, body::Body, extract};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
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

/// What a repository's manifests say, read once.
type Manifests = HashMap<Digest, ManifestContent>;

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
    let mut report = GarbageReport::default();
    let mut needed = HashSet::new();
    for name in catalog::names(&state).await? {
        needed.extend(clean_repository(&state, &name, keep.get(&name), &mut report).await?);
    }
    remove_blobs(&state, &needed, &mut report).await?;
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

/// Removes what the repository does not need, and gives the blobs it still has.
async fn clean_repository(
    state: &State,
    name: &RepositoryName,
    keep: Option<&BTreeSet<Reference>>,
    report: &mut GarbageReport,
) -> Result<HashSet<Digest>, RequestError> {
    if let Some(keep) = keep {
        report.tags += remove_tags(state, name, keep).await?;
    }
    let (mut manifests, young) = read_manifests(state, name).await?;
    if let Some(keep) = keep {
        let roots = roots(state, name, keep).await?;
        let live = reachable(&manifests, roots.union(&young).copied().collect());
        report.manifests += remove_manifests(state, name, &mut manifests, live).await?;
    }
    let used = manifests.values().flat_map(|content| &content.blobs).copied().collect();
    remove_links(state, name, used).await
}

async fn remove_tags(
    state: &State,
    name: &RepositoryName,
    keep: &BTreeSet<Reference>,
) -> Result<u64, RequestError> {
    let mut removed = 0;
    for (tag, meta) in tags::all(state, name).await? {
        // A push is done before its release exists, so a young tag may be one that the controller does not know yet.
        if !keep.contains(&Reference::Tag(tag)) && remove_if_old(state, &meta.key).await?.is_some() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// What the repository's manifests say, and which of them were pushed or asked for a short while ago.
async fn read_manifests(
    state: &State,
    name: &RepositoryName,
) -> Result<(Manifests, HashSet<Digest>), RequestError> {
    let metas: Vec<_> = state.store.list(&layout::manifests(name), None).try_collect().await?;
    let (mut manifests, mut young) = (Manifests::new(), HashSet::new());
    for meta in metas {
        let Some(digest) = Digest::parse_hex(meta.key.last_segment()) else {
            continue;
        };
        if !is_old(&meta, state.limits.garbage_grace) {
            young.insert(digest);
        }
        // One that cannot be read ends the collection: what it refers to is not known, so nothing may go.
        if let Some(content) = manifest::read_content(state, name, &digest).await? {
            manifests.insert(digest, content);
        }
    }
    Ok((manifests, young))
}

/// What the remaining tags stand for, and the digests to keep.
async fn roots(
    state: &State,
    name: &RepositoryName,
    keep: &BTreeSet<Reference>,
) -> Result<HashSet<Digest>, RequestError> {
    let mut roots: HashSet<_> = keep.iter().filter_map(Reference::as_digest).collect();
    for (tag, _) in tags::all(state, name).await? {
        roots.extend(tags::read(state, name, &tag).await?);
    }
    Ok(roots)
}

/// The roots, what they list, and what says something about them.
fn reachable(manifests: &Manifests, roots: HashSet<Digest>) -> HashSet<Digest> {
    let mut about: HashMap<Digest, Vec<Digest>> = HashMap::new();
    for (digest, content) in manifests {
        if let Some(subject) = content.subject {
            about.entry(subject).or_default().push(*digest);
        }
    }
    let mut pending: Vec<_> = roots.into_iter().collect();
    let mut live = HashSet::new();
    while let Some(digest) = pending.pop() {
        if live.insert(digest) {
            pending.extend(manifests.get(&digest).into_iter().flat_map(|content| &content.manifests));
            pending.extend(about.get(&digest).into_iter().flatten());
        }
    }
    live
}

/// Removes the manifests that are not `live`, from the store and from `manifests`, and tells how many.
async fn remove_manifests(
    state: &State,
    name: &RepositoryName,
    manifests: &mut Manifests,
    mut live: HashSet<Digest>,
) -> Result<u64, RequestError> {
    let mut dead: Vec<_> = manifests.keys().filter(|digest| !live.contains(digest)).copied().collect();
    // Lists first: one that is spared, because it was asked for just now, spares what it lists.
    dead.sort_by_key(|digest| manifests[digest].manifests.is_empty());
    let mut removed = 0;
    for digest in dead {
        if live.contains(&digest) {
            continue;
        }
        if remove_if_old(state, &layout::manifest(name, &digest)).await?.is_none() {
            live.extend(reachable(manifests, HashSet::from([digest])));
            continue;
        }
        if let Some(content) = manifests.remove(&digest) {
            manifest::delete_referrer(state, name, &digest, &content).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Lets the repository forget blobs that no manifest of it uses, and gives those it still has.
async fn remove_links(
    state: &State,
    name: &RepositoryName,
    used: HashSet<Digest>,
) -> Result<HashSet<Digest>, RequestError> {
    let mut links = state.store.list(&layout::blob_links(name), None);
    let mut remaining = used;
    while let Some(meta) = links.try_next().await? {
        let Some(digest) = Digest::parse_hex(meta.key.last_segment()) else {
            continue;
        };
        if !remaining.contains(&digest) && remove_if_old(state, &meta.key).await?.is_none() {
            remaining.insert(digest);
        }
    }
    Ok(remaining)
}

async fn remove_blobs(
    state: &State,
    needed: &HashSet<Digest>,
    report: &mut GarbageReport,
) -> Result<(), RequestError> {
    let mut blobs = state.store.list(layout::BLOBS, None);
    while let Some(meta) = blobs.try_next().await? {
        let is_needed =
            Digest::parse_hex(meta.key.last_segment()).is_none_or(|digest| needed.contains(&digest));
        if is_needed {
            continue;
        }
        if let Some(bytes) = remove_if_old(state, &meta.key).await? {
            report.blobs += 1;
            report.bytes += bytes;
        }
    }
    Ok(())
}
