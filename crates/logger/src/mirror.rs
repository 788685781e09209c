//! A copy of all segments in the store, so that a logger can move to another host.
//!
//! The files on this host are what is written and read; the store follows a few seconds behind. A segment is only
//! ever written by the logger that made it: one that starts goes on in a new segment.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use deis_model::AppId;
use deis_runtime::{Shutdown, StatusBoard};
use deis_store::{ObjectKey, ObjectMeta, ObjectStore, StoreError};
use futures::StreamExt;
use tokio::fs;
use tracing::{info, warn};

use crate::archive::Archive;
use crate::segment;

/// Where in the store logs are.
const PREFIX: &str = "logs/";
/// How far the store may be behind.
const EVERY: Duration = Duration::from_secs(10);
/// How soon a store that is away is asked again.
const RETRY: Duration = Duration::from_secs(2);
/// No segment is larger: a closed one holds its last batch beyond its limit.
const SEGMENT_LIMIT: u64 = 64 << 20;
/// Two segments of one place and size, this many bytes or more, have one maker.
const SURELY_THE_SAME: u64 = 64 << 10;
/// Segments fetched at a time.
const FETCHES: usize = 8;

/// One segment of an app: which app, and its number.
type Place = (AppId, u64);

/// What the store holds of the logs.
pub(crate) struct Mirror {
    store: Arc<dyn ObjectStore>,
    directory: PathBuf,
    status: StatusBoard,
    /// The bytes of each segment in the store.
    held: HashMap<Place, u64>,
}

impl Mirror {
    /// The mirror of the logs in `directory`. Knows nothing before [`Mirror::restore`].
    pub(crate) fn new(store: Arc<dyn ObjectStore>, directory: PathBuf, status: StatusBoard) -> Self {
        Self { store, directory, status, held: HashMap::new() }
    }

    /// Brings what other hosts wrote to this one, waiting for the store as long as it takes.
    pub(crate) async fn restore(&mut self) {
        while let Err(failure) = self.try_restore().await {
            self.trouble(&failure);
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn try_restore(&mut self) -> anyhow::Result<()> {
        self.held = self.list().await?;
        let this = &*self;
        let fetches = this.held.iter().map(|(place, size)| this.reconcile(place, *size));
        let mut fetches = futures::stream::iter(fetches).buffer_unordered(FETCHES);
        let mut fetched = 0;
        while let Some(outcome) = fetches.next().await {
            fetched += usize::from(outcome?);
        }
        drop(fetches);
        if fetched > 0 {
            info!(segments = fetched, "brought logs of other hosts here");
        }
        self.status.well("store");
        Ok(())
    }

    async fn list(&self) -> Result<HashMap<Place, u64>, StoreError> {
        let mut held = HashMap::new();
        let mut objects = self.store.list(PREFIX, None);
        while let Some(object) = objects.next().await {
            let ObjectMeta { key, size, .. } = object?;
            if let Some(place) = place_of(&key) {
                held.insert(place, size);
            }
        }
        Ok(held)
    }

    /// Makes this host have segment `place`, of which the store has `size` bytes. True if it had to be fetched.
    async fn reconcile(&self, place: &Place, size: u64) -> anyhow::Result<bool> {
        let path = self.path(place);
        let local = match fs::metadata(&path).await {
            Ok(metadata) => metadata.len(),
            Err(_) => {
                self.fetch(place, &path).await?;
                return Ok(true);
            }
        };
        // Large files of one size are the same one; the last one may be small.
        if local == size && size >= SURELY_THE_SAME {
            return Ok(false);
        }
        let stored = self.store.get_bytes(&key_of(place), SEGMENT_LIMIT).await?;
        let ours = fs::read(&path).await.with_context(|| format!("failed to read {}", path.display()))?;
        if ours.starts_with(&stored) {
            return Ok(false);
        }
        if !stored.starts_with(&ours) {
            self.set_aside(&path).await?;
        }
        self.place(&path, &stored).await?;
        Ok(true)
    }

    async fn fetch(&self, place: &Place, path: &Path) -> anyhow::Result<()> {
        let stored = self.store.get_bytes(&key_of(place), SEGMENT_LIMIT).await?;
        self.place(path, &stored).await
    }

    async fn place(&self, path: &Path, contents: &[u8]) -> anyhow::Result<()> {
        let failed = || format!("failed to write {}", path.display());
        let folder = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(folder).await.with_context(failed)?;
        let part = path.with_extension("part");
        fs::write(&part, contents).await.with_context(failed)?;
        fs::rename(&part, path).await.with_context(failed)
    }

    /// Two hosts made a segment of this number while they did not know of each other: this host's becomes a later one.
    async fn set_aside(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().unwrap_or(&self.directory).to_owned();
        let app = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stored = self.held.keys().filter(|(held, _)| held.as_str() == app).map(|(_, number)| *number);
        let here = segment::Segment::list(&folder)?.into_iter().map(|segment| segment.number);
        let free = stored.chain(here).max().unwrap_or(0) + 1;
        fs::rename(path, segment::path(&folder, free))
            .await
            .with_context(|| format!("failed to rename {}", path.display()))
    }

    /// Keeps the store up with `archive` until `shutdown`, and once more then.
    pub(crate) async fn run(mut self, archive: Arc<Archive>, shutdown: Shutdown) {
        loop {
            let is_last = tokio::select! {
                () = shutdown.cancelled() => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            match self.round(&archive).await {
                Ok(()) => self.status.well("store"),
                Err(failure) => self.trouble(&failure),
            }
            if is_last {
                return;
            }
        }
    }

    /// Stores what grew and removes what is gone.
    async fn round(&mut self, archive: &Archive) -> anyhow::Result<()> {
        let here: BTreeMap<Place, u64> = archive.committed();
        for (place, bytes) in &here {
            if self.held.get(place).is_none_or(|held| held < bytes) {
                self.store_segment(place, *bytes).await?;
                self.held.insert(place.clone(), *bytes);
            }
        }
        let gone: Vec<Place> = self.held.keys().filter(|place| !here.contains_key(place)).cloned().collect();
        for place in gone {
            self.store.delete(&key_of(&place)).await?;
            self.held.remove(&place);
        }
        Ok(())
    }

    async fn store_segment(&self, place: &Place, bytes: u64) -> anyhow::Result<()> {
        let path = self.path(place);
        let mut contents = match fs::read(&path).await {
            // Retention was quicker: the next round removes it from the store.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            read => read.with_context(|| format!("failed to read {}", path.display()))?,
        };
        contents.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.store.put_bytes(&key_of(place), Bytes::from(contents)).await?;
        Ok(())
    }

    fn path(&self, (app, number): &Place) -> PathBuf {
        segment::path(&self.directory.join(app.as_str()), *number)
    }

    fn trouble(&self, failure: &anyhow::Error) {
        warn!(error = %format!("{failure:#}"), "failed to keep logs in the store");
        self.status.trouble(
            "store",
            format!("{failure:#}"),
            "see that the store answers: logs stay on this host meanwhile",
        );
    }
}

fn key_of((app, number): &Place) -> ObjectKey {
    let text = format!("{PREFIX}{app}/{number:020}.log");
    ObjectKey::parse(&text).expect("apps' ids and numbers are made of characters that keys may have")
}

fn place_of(key: &ObjectKey) -> Option<Place> {
    let (app, file) = key.as_str().strip_prefix(PREFIX)?.split_once('/')?;
    Some((AppId::parse(app).ok()?, segment::number_of(file)?))
}
