//! Reads a range of a file as a stream.

use crate::{batches::BATCH_BYTES, object::ByteStream};
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

/// The bytes `range` of `file`, one piece in memory at a time.
pub(super) fn read(file: File, range: Range<u64>) -> ByteStream {
    stream::try_unfold((file, range), |(file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let piece = tokio::task::spawn_blocking(move || read_piece(file, range)).await;
        piece.map_err(io::Error::other)?.map(Some)
    })
    .boxed()
}

fn read_piece(mut file: File, range: Range<u64>) -> io::Result<(Bytes, (File, Range<u64>))> {
    let wanted = (range.end - range.start).min(BATCH_BYTES as u64);
    let mut piece = Vec::with_capacity(BATCH_BYTES.min(wanted as usize));
    file.seek(SeekFrom::Start(range.start))?;
    file.by_ref().take(wanted).read_to_end(&mut piece)?;
    if (piece.len() as u64) < wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((piece.into(), (file, range.start + wanted..range.end)))
}
