//! Reading a log from its end, without reading all of it.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tracing::warn;

use crate::error::WriteError;
use crate::frame::{self, TRAILER};
use crate::record::Record;

/// The most lines that one request gets.
pub(crate) const MAX_LINES: usize = 100_000;
/// The most text that one request gets, in bytes.
const MAX_BYTES: usize = 32 << 20;
/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// The part of a segment that readers may see.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// Which file.
    pub(crate) path: PathBuf,
    /// Up to where, in bytes.
    pub(crate) end: u64,
}

/// The last `lines` records of `slices`, oldest first. Fewer when they exceed 32 MiB.
pub(crate) fn last_records(slices: &[Slice], lines: usize) -> Result<Vec<Record>, WriteError> {
    let mut records = Vec::new();
    let mut bytes = 0;
    walk_back(slices, |record| {
        bytes += record.text.len();
        records.push(record);
        match records.len() < lines && bytes < MAX_BYTES {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    records.reverse();
    Ok(records)
}

/// Shows the records of `slices`, given oldest first, to `visit` from the newest on.
pub(crate) fn walk_back(
    slices: &[Slice],
    mut visit: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), WriteError> {
    for slice in slices.iter().rev() {
        let failed = |error: io::Error| WriteError::at(&slice.path, &error);
        let file = match File::open(&slice.path) {
            // Dropped for being too old since the slices were noted: so are all before it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file.map_err(failed)?,
        };
        let mut reader = BackwardReader { file, start: slice.end, buffer: Vec::new() };
        while let Some(record) = reader.previous().map_err(failed)? {
            if visit(record).is_break() {
                return Ok(());
            }
        }
        if reader.start > 0 || !reader.buffer.is_empty() {
            warn!(path = %slice.path.display(), "a log is damaged: older lines in this file are skipped");
        }
    }
    Ok(())
}

/// Whether `slice` ends with a whole record, or is empty.
pub(crate) fn ends_whole(slice: &Slice) -> bool {
    let last = |file| BackwardReader { file, start: slice.end, buffer: Vec::new() }.previous();
    slice.end == 0 || File::open(&slice.path).and_then(last).is_ok_and(|record| record.is_some())
}

/// Gives the records of one file from its end.
struct BackwardReader {
    file: File,
    /// Where `buffer` begins in the file.
    start: u64,
    /// What was read, but not given yet.
    buffer: Vec<u8>,
}

impl BackwardReader {
    /// The record before the one given last; none at the beginning, or where the file is damaged.
    fn previous(&mut self) -> io::Result<Option<Record>> {
        if !self.fill(TRAILER)? {
            return Ok(None);
        }
        let Some(length) = frame::last_length(&self.buffer) else { return Ok(None) };
        if !self.fill(length)? {
            return Ok(None);
        }
        let at = self.buffer.len() - length;
        let Some((framed, _)) = frame::decode(&self.buffer[at..]) else { return Ok(None) };
        let record = framed.to_record();
        self.buffer.truncate(at);
        Ok(Some(record))
    }

    /// Reads backwards until `wanted` bytes are in the buffer; false if the file begins before that.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        while self.buffer.len() < wanted && self.start > 0 {
            let length = usize::try_from(self.start).unwrap_or(CHUNK).min(CHUNK);
            let mut chunk = vec![0; length];
            self.start -= length as u64;
            self.file.read_exact_at(&mut chunk, self.start)?;
            chunk.append(&mut self.buffer);
            self.buffer = chunk;
        }
        Ok(self.buffer.len() >= wanted)
    }
}
