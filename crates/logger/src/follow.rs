//! Followers: readers who stay and get new lines as they are stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

use deis_model::AppId;

use crate::record::Record;

/// How many pieces wait for a follower before it is cut off.
const WAITING_PIECES: usize = 64;
/// How large a piece is at most, but for a single line.
const PIECE_BYTES: usize = 64 * 1024;

/// The writer's end: offers lines, never waits.
pub(crate) struct Follower {
    sender: Sender<Bytes>,
    slow: Arc<AtomicBool>,
}

/// The reader's end.
pub(crate) struct Followed {
    receiver: Receiver<Bytes>,
    slow: Arc<AtomicBool>,
}

/// Both ends of a new follower, with at most 4 MiB between them.
pub(crate) fn pair() -> (Follower, Followed) {
    let (sender, receiver) = mpsc::channel(WAITING_PIECES);
    let slow = Arc::new(AtomicBool::new(false));
    (Follower { sender, slow: slow.clone() }, Followed { receiver, slow })
}

impl Follower {
    /// Hands over `pieces`; false if it is gone, or was too slow and is to be dropped.
    pub(crate) fn offer(&self, pieces: &[Bytes]) -> bool {
        for piece in pieces {
            match self.sender.try_send(piece.clone()) {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => return false,
                Err(TrySendError::Full(_)) => {
                    self.slow.store(true, Ordering::Release);
                    return false;
                }
            }
        }
        true
    }

    /// Whether the reader left.
    pub(crate) fn is_gone(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Followed {
    /// Everything offered, then, if it was too slow, a line that says so. `permit` is held meanwhile.
    pub(crate) fn into_stream(self, app: AppId, permit: OwnedSemaphorePermit) -> impl Stream<Item = Bytes> {
        let Self { receiver, slow } = self;
        let lines = stream::unfold((receiver, permit), |(mut receiver, permit)| async move {
            receiver.recv().await.map(|piece| (piece, (receiver, permit)))
        });
        let note = stream::once(async move { slow.load(Ordering::Acquire).then(|| too_slow(&app)) });
        lines.chain(note.filter_map(std::future::ready))
    }
}

/// `records` as lines, cut into pieces that keep lines whole.
pub(crate) fn pieces(app: &AppId, records: &[Record]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    for record in records {
        if piece.len() + record.text.len() > PIECE_BYTES && !piece.is_empty() {
            pieces.push(Bytes::from(std::mem::take(&mut piece)));
        }
        record.show(app, &mut piece);
    }
    if !piece.is_empty() {
        pieces.push(Bytes::from(piece));
    }
    pieces
}

fn too_slow(app: &AppId) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_nanos());
    let record = Record {
        timestamp: i64::try_from(now).unwrap_or(i64::MAX),
        source: "deis-logger".to_owned(),
        text: "this reader was too slow and is cut off here: follow again, later lines are kept".to_owned(),
    };
    let mut line = Vec::new();
    record.show(app, &mut line);
    Bytes::from(line)
}
