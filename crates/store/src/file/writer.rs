//! Writes a stream to a file, batch by batch.

use super::attempt::{Attempt, blocking};
use crate::{batches::Batches, error::StoreError, key::ObjectKey, object::ByteStream};
use std::io::Write;

/// Writes `content` to `file` and gives the file back.
///
/// No thread waits for the sender: only whole batches go to the blocking pool, so slow senders cannot use it up.
pub(super) async fn write<W: Write + Send + 'static>(
    mut file: W,
    content: ByteStream,
    key: &ObjectKey,
    attempt: impl Fn() -> Attempt,
) -> Result<W, StoreError> {
    let mut batches = Batches::new(content);
    let received = |source| StoreError::Content { key: key.to_string(), source };
    while let Some(batch) = batches.next().await.map_err(received)? {
        let write = move || {
            batch.iter().try_for_each(|piece| file.write_all(piece))?;
            Ok(file)
        };
        file = blocking(attempt(), write).await?;
    }
    Ok(file)
}
