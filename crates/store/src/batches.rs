//! Content in pieces large enough to be worth a trip to the blocking pool.

use crate::object::ByteStream;
use bytes::Bytes;
use futures::StreamExt;
use std::io;

/// How many bytes make a batch. More costs memory per request, fewer cost thread switches.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;

/// Groups a stream into batches of at least 256 KiB, the last one excepted.
pub struct Batches {
    content: ByteStream,
    failure: Option<io::Error>,
}

impl Batches {
    /// Batches of `content`.
    pub fn new(content: ByteStream) -> Self {
        Self { content, failure: None }
    }

    /// The next batch; nothing at the end. Bytes before a failure come before the failure.
    pub async fn next(&mut self) -> io::Result<Option<Vec<Bytes>>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut batch = Vec::new();
        let mut size = 0;
        while size < BATCH_BYTES {
            match self.content.next().await {
                Some(Ok(piece)) => {
                    size += piece.len();
                    batch.push(piece);
                }
                Some(Err(failure)) if batch.is_empty() => return Err(failure),
                Some(Err(failure)) => {
                    self.failure = Some(failure);
                    break;
                }
                None => break,
            }
        }
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    #[tokio::test]
    async fn bytes_before_a_failure_come_before_it() {
        let pieces = [Ok(Bytes::from("a")), Ok(Bytes::from("b")), Err(io::Error::other("cut"))];
        let mut batches = Batches::new(stream::iter(pieces).boxed());
        assert_eq!(batches.next().await.unwrap().unwrap(), ["a", "b"]);
        assert_eq!(batches.next().await.unwrap_err().to_string(), "cut");
    }

    #[tokio::test]
    async fn small_pieces_share_a_batch_and_large_ones_do_not() {
        let half = Bytes::from(vec![0; BATCH_BYTES / 2]);
        let pieces = [half.clone(), half.clone(), half].map(Ok);
        let mut batches = Batches::new(stream::iter(pieces).boxed());
        assert_eq!(batches.next().await.unwrap().unwrap().len(), 2);
        assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
        assert!(batches.next().await.unwrap().is_none());
    }
}
