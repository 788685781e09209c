//! Objects sent in parts, because they are long or nobody knows how long they are.
//!
//! Parts that were sent cost space until their object is completed or given up, and no call of the protocol that all
//! servers have finds those of a process that died. So before the first part, an object of our own notes what is
//! being sent; [`sweep`] gives up what has been noted for too long.

use super::bucket::Bucket;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutPayload,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The bytes of the first parts. Servers take none under 5 MiB, the last excepted.
const PART_BYTES: u64 = 8 << 20;
/// After how many parts they double. Servers take 10,000 at most, which makes 8 TiB.
const DOUBLING: usize = 1000;

/// How many bytes the part of that number should have, counted from 0.
pub(super) fn part_bytes(number: usize) -> u64 {
    PART_BYTES << (number / DOUBLING)
}

/// An object on its way. Dropped before it is completed, it is given up.
pub(super) struct Parts {
    bucket: Arc<Bucket>,
    note: Note,
    at: Path,
    sent: Vec<PartId>,
    /// The part on its way, while the next one is gathered.
    sending: Option<JoinHandle<Result<PartId, Error>>>,
    open: bool,
}

/// What is being sent: where to, and the server's name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    path: Path,
    id: String,
}

impl Parts {
    pub(super) async fn begin(bucket: &Arc<Bucket>, path: &Path) -> Result<Self, Error> {
        let id = bucket.client.create_multipart(path).await?;
        let note = Note { path: path.clone(), id };
        let at = bucket.path(&format!("parts/{}", Uuid::new_v4()));
        let (sent, sending) = (Vec::new(), None);
        let parts = Self { bucket: bucket.clone(), note, at, sent, sending, open: true };
        bucket.client.put(&parts.at, parts.note.to_text().into()).await?;
        Ok(parts)
    }

    /// How many bytes the next part should have.
    pub(super) fn wanted(&self) -> u64 {
        part_bytes(self.sent.len() + usize::from(self.sending.is_some()))
    }

    /// Begins to send a part, when the one before it has been sent.
    pub(super) async fn send(&mut self, payload: PutPayload) -> Result<(), Error> {
        self.settle().await?;
        let (bucket, note, number) = (self.bucket.clone(), self.note.clone(), self.sent.len());
        let send = async move { bucket.client.put_part(&note.path, &note.id, number, payload).await };
        self.sending = Some(tokio::spawn(send));
        Ok(())
    }

    /// Makes what was sent an object.
    pub(super) async fn complete(mut self) -> Result<(), Error> {
        self.settle().await?;
        let sent = std::mem::take(&mut self.sent);
        self.bucket.client.complete_multipart(&self.note.path, &self.note.id, sent).await?;
        self.open = false;
        // The object is there: what remains of the note is for the sweep.
        let _ = self.bucket.remove(&self.at).await;
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Error> {
        if let Some(sending) = &mut self.sending {
            let sent = sending.await;
            self.sending = None;
            self.sent.push(sent??);
        }
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let sending = self.sending.take();
        if let Some(sending) = &sending {
            sending.abort();
        }
        if self.open
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (bucket, note, at) = (self.bucket.clone(), self.note.clone(), self.at.clone());
            // A failure leaves the note, which the sweep goes by.
            runtime.spawn(async move { give_up(&bucket, &note, &at).await });
        }
    }
}

impl Note {
    fn to_text(&self) -> String {
        format!("{}\n{}\n", self.path, self.id)
    }

    fn parse(text: &Bytes) -> Option<Self> {
        let mut lines = std::str::from_utf8(text).ok()?.lines();
        Some(Self { path: Path::parse(lines.next()?).ok()?, id: lines.next()?.to_owned() })
    }
}

/// Gives up what was noted at least `age` ago and not completed since, and tells how many that were.
pub(super) async fn sweep(bucket: &Bucket, age: Duration) -> Result<usize, Error> {
    let notes: Vec<_> = bucket.client.list(Some(&bucket.path("parts"))).try_collect().await?;
    let mut swept = 0;
    for meta in notes {
        let noted = SystemTime::from(meta.last_modified);
        if noted.elapsed().unwrap_or_default() < age {
            continue;
        }
        let text = match bucket.client.get(&meta.location).await {
            Ok(found) => found.bytes().await?,
            Err(Error::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        match Note::parse(&text) {
            Some(note) => give_up(bucket, &note, &meta.location).await?,
            None => bucket.remove(&meta.location).await?,
        }
        swept += 1;
    }
    Ok(swept)
}

async fn give_up(bucket: &Bucket, note: &Note, at: &Path) -> Result<(), Error> {
    match bucket.client.abort_multipart(&note.path, &note.id).await {
        // Completed or given up before.
        Ok(()) | Err(Error::NotFound { .. }) => bucket.remove(at).await,
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_ten_thousand_are_enough() {
        assert_eq!(part_bytes(0), 8 << 20);
        assert_eq!(part_bytes(999), 8 << 20);
        assert_eq!(part_bytes(1000), 16 << 20);
        let all: u64 = (0..10_000).map(part_bytes).sum();
        assert!(all > 5 << 40, "the longest object that servers take is shorter");
    }

    #[test]
    fn a_note_is_read_back() {
        let note = Note { path: Path::from("a/b"), id: "2~x.y".to_owned() };
        assert_eq!(Note::parse(&note.to_text().into()), Some(note));
        assert_eq!(Note::parse(&Bytes::from("a/b")), None);
    }
}
