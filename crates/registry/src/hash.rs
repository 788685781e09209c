//! Digests of content on its way through.

use crate::digest::Digest;
use deis_store::{Batches, ByteStream};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// How many uploads' digests are remembered; those beyond are computed by reading the upload again.
const REMEMBERED: usize = 1024;

/// The digest of the bytes so far.
#[derive(Clone, Default)]
pub(crate) struct RunningDigest {
    hasher: Sha256,
    /// How many bytes it covers.
    pub(crate) size: u64,
}

impl RunningDigest {
    pub(crate) fn finish(self) -> Digest {
        self.hasher.into()
    }
}

/// A running digest that a stream keeps up to date.
#[derive(Clone, Default)]
pub(crate) struct Follower(Arc<Mutex<RunningDigest>>);

impl Follower {
    pub(crate) fn new(start: RunningDigest) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// The digest of what the stream has given out so far.
    pub(crate) fn digest(&self) -> RunningDigest {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, digest: RunningDigest) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }

    /// Passes `content` on unchanged.
    ///
    /// Hashing runs on the blocking pool, a batch at a time: in one process with a router, it must not hold up
    /// visitors' requests.
    pub(crate) fn follow(&self, content: ByteStream) -> ByteStream {
        stream::try_unfold((Batches::new(content), self.clone()), |(mut batches, follower)| async move {
            let Some(batch) = batches.next().await? else {
                return Ok::<_, io::Error>(None);
            };
            let mut digest = follower.digest();
            let hash = move || {
                for piece in &batch {
                    digest.hasher.update(piece);
                    digest.size += piece.len() as u64;
                }
                (batch, digest)
            };
            let (batch, digest) = tokio::task::spawn_blocking(hash).await.map_err(io::Error::other)?;
            follower.set(digest);
            Ok(Some((stream::iter(batch).map(Ok), (batches, follower))))
        })
        .try_flatten()
        .boxed()
    }
}

/// The digest of all of `content`.
pub(crate) async fn digest_of(content: ByteStream) -> io::Result<RunningDigest> {
    let follower = Follower::default();
    follower.follow(content).try_for_each(|_| async { Ok(()) }).await?;
    Ok(follower.digest())
}

/// Digests of uploads between two requests. Losing one costs time only.
#[derive(Default)]
pub(crate) struct RunningDigests(Mutex<HashMap<Uuid, RunningDigest>>);

impl RunningDigests {
    /// Keeps the digest of upload `id`, if there is room.
    pub(crate) fn keep(&self, id: Uuid, digest: RunningDigest) {
        let mut digests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if digests.len() < REMEMBERED || digests.contains_key(&id) {
            digests.insert(id, digest);
        }
    }

    /// Takes the digest of upload `id` out, if it covers exactly `size` bytes.
    pub(crate) fn take(&self, id: Uuid, size: u64) -> Option<RunningDigest> {
        let digest = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        digest.filter(|digest| digest.size == size)
    }

    /// Drops the digest of upload `id`.
    pub(crate) fn forget(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_digest_follows_the_content() {
        let first = Follower::default();
        let _: Vec<_> = first.follow(deis_store::once("hello ")).try_collect().await.unwrap();
        let second = Follower::new(first.digest());
        let passed: Vec<_> = second.follow(deis_store::once("world")).try_collect().await.unwrap();
        assert_eq!(passed, ["world"]);
        assert_eq!(second.digest().size, 11);
        assert_eq!(second.digest().finish(), Digest::of(b"hello world"));
    }

    #[test]
    fn a_digest_of_another_size_is_not_used() {
        let digests = RunningDigests::default();
        digests.keep(Uuid::nil(), RunningDigest { size: 3, ..RunningDigest::default() });
        assert!(digests.take(Uuid::nil(), 4).is_none());
        assert!(digests.take(Uuid::nil(), 3).is_none());
    }
}
