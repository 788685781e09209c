//! Reads a range of a file as a stream.

use crate::{batches::BATCH_BYTES, object::ByteStream};
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};
use tokio::task::JoinHandle;

/// The bytes `range` of `file`. While one piece is on its way to the reader, the next is read from the disk.
pub(super) fn read(file: File, range: Range<u64>) -> ByteStream {
    let first = ReadAhead::start(file, range);
    stream::try_unfold(first, |ahead| async move {
        let Some(ahead) = ahead else {
            return Ok(None);
        };
        let (piece, file, rest) = ahead.0.await.map_err(io::Error::other)??;
        Ok(Some((piece, ReadAhead::start(file, rest))))
    })
    .boxed()
}

/// A piece that is being read.
struct ReadAhead(JoinHandle<io::Result<(Bytes, File, Range<u64>)>>);

impl ReadAhead {
    /// Begins to read the first piece of `range`; nothing when it is empty.
    fn start(file: File, range: Range<u64>) -> Option<Self> {
        (!range.is_empty()).then(|| Self(tokio::task::spawn_blocking(move || read_piece(file, range))))
    }
}

fn read_piece(mut file: File, range: Range<u64>) -> io::Result<(Bytes, File, Range<u64>)> {
    let wanted = (range.end - range.start).min(BATCH_BYTES as u64);
    let mut piece = Vec::with_capacity(BATCH_BYTES.min(wanted as usize));
    file.seek(SeekFrom::Start(range.start))?;
    file.by_ref().take(wanted).read_to_end(&mut piece)?;
    if (piece.len() as u64) < wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((piece.into(), file, range.start + wanted..range.end))
}
