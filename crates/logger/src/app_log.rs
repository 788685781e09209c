//! The log of one app: its segments, who follows it, and what it has already got.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use std::{fs, io};

use deis_model::AppId;

use crate::error::WriteError;
use crate::follow::{self, Follower};
use crate::frame;
use crate::newest::Newest;
use crate::record::Record;
use crate::segment::{self, Segment};
use crate::tail::{self, Slice, walk_back};

/// How far back repetitions are looked for, in bytes: twice the largest batch.
const LOOK_BACK_BYTES: u64 = 16 << 20;
/// Records this much older than a possible repetition, in nanoseconds, end the search for it.
const LOOK_BACK_SLACK: i64 = 60_000_000_000;

/// Where a log that was there at the start goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuation {
    /// At the end of its last segment.
    LastSegment,
    /// In a new segment: others may have a copy of the last one.
    NewSegment,
}

/// The log of one app. Only the writer changes it; readers take a note of its slices and read files on their own.
pub(crate) struct AppLog {
    app: AppId,
    directory: PathBuf,
    /// Oldest first; the last one is written to.
    segments: VecDeque<Segment>,
    next_number: u64,
    /// Segments before this one are only read.
    first_written: u64,
    /// The last segment, while it is open.
    open: Option<Arc<File>>,
    /// Whether the last segment was checked since the start.
    recovered: bool,
    /// What tells repetitions from new records.
    newest: Newest,
    /// Stored but not yet on disk for sure; kept while somebody follows.
    unpublished: Vec<Record>,
    followers: Vec<Follower>,
}

impl AppLog {
    /// Notes what is in `directory`, which need not exist. Reads no records yet.
    pub(crate) fn load(app: AppId, directory: PathBuf, continuation: Continuation) -> io::Result<Self> {
        let segments = Segment::list(&directory)?;
        let next_number = segments.back().map_or(1, |segment| segment.number + 1);
        Ok(Self {
            app,
            directory,
            segments,
            next_number,
            first_written: if continuation == Continuation::NewSegment { next_number } else { 0 },
            open: None,
            recovered: false,
            newest: Newest::default(),
            unpublished: Vec::new(),
            followers: Vec::new(),
        })
    }

    /// Where it is kept.
    pub(crate) fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// Its segments, oldest first.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// What readers may see, oldest first.
    pub(crate) fn slices(&mut self) -> Result<Vec<Slice>, WriteError> {
        let slices = self.slices_up_to(|segment| segment.committed);
        // Checking the whole segment takes long, and only writing needs it: to read, its end must be whole.
        if self.recovered || slices.last().is_none_or(tail::ends_whole) {
            return Ok(slices);
        }
        self.recover()?;
        Ok(self.slices_up_to(|segment| segment.committed))
    }

    /// Adds a reader who gets everything that [`Self::slices`] do not hold at this moment.
    pub(crate) fn add_follower(&mut self, follower: Follower) {
        self.followers.retain(|follower| !follower.is_gone());
        self.followers.push(follower);
    }

    /// Writes those of `records` that are not there yet; they count once the file given back is synced and
    /// [`Self::commit`] called. Leaves nothing behind when it fails.
    pub(crate) fn append(
        &mut self,
        records: Vec<Record>,
        segment_bytes: u64,
    ) -> Result<Option<Arc<File>>, WriteError> {
        self.recover()?;
        let records = self.without_repetitions(records)?;
        if records.is_empty() {
            return Ok(None);
        }
        let mut frames = Vec::new();
        records.iter().for_each(|record| frame::encode(record, &mut frames));
        let file = self.writable(segment_bytes)?;
        self.write(&file, &frames)?;
        self.remember(records);
        Ok(Some(file))
    }

    /// Counts everything written as stored, and shows it to followers.
    pub(crate) fn commit(&mut self) {
        if let Some(segment) = self.segments.back_mut() {
            segment.committed = segment.appended;
        }
        let records = std::mem::take(&mut self.unpublished);
        if !records.is_empty() {
            let pieces = follow::pieces(&self.app, &records);
            self.followers.retain(|follower| follower.offer(&pieces));
        }
    }

    /// Forgets what was written since the last commit, after the disk refused it.
    pub(crate) fn roll_back(&mut self) {
        self.unpublished.clear();
        self.newest = Newest::default();
        // What a failed sync left in the file is unknown: reading it again finds out.
        self.recovered = false;
        if let (Some(segment), Some(file)) = (self.segments.back_mut(), self.open.take()) {
            let _ = file.set_len(segment.committed);
            segment.appended = segment.committed;
        }
    }

    /// Closes the file that it writes to.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Removes segment `number`.
    pub(crate) fn drop_segment(&mut self, number: u64) -> Result<(), WriteError> {
        if self.segments.back().is_some_and(|last| last.number == number) {
            self.open = None;
        }
        let path = segment::path(&self.directory, number);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(WriteError::at(&path, &error)),
            _ => {
                self.segments.retain(|segment| segment.number != number);
                Ok(())
            }
        }
    }

    /// Removes closed segments, oldest first, until no more than `limit` bytes are left.
    pub(crate) fn retain(&mut self, limit: u64) -> Result<(), WriteError> {
        let mut total: u64 = self.segments.iter().map(|segment| segment.appended).sum();
        while total > limit && self.segments.len() > 1 {
            let oldest = self.segments[0].clone();
            self.drop_segment(oldest.number)?;
            total -= oldest.appended;
        }
        Ok(())
    }

    /// Removes everything, and ends the streams of followers.
    pub(crate) fn remove(&mut self) -> Result<(), WriteError> {
        (self.open, self.recovered) = (None, false);
        self.segments.clear();
        self.newest = Newest::default();
        self.followers.clear();
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(WriteError::at(&self.directory, &error))
            }
            _ => Ok(()),
        }
    }

    fn recover(&mut self) -> Result<(), WriteError> {
        if self.recovered {
            return Ok(());
        }
        let newest = &mut self.newest;
        if let Some(last) = self.segments.back_mut() {
            last.recover(&self.directory, |framed| newest.note(framed.source, framed.timestamp))
                .map_err(|error| WriteError::at(&self.directory, &error))?;
        }
        self.recovered = true;
        Ok(())
    }

    /// The file to write to: the last segment, or a new one if it is full.
    fn writable(&mut self, segment_bytes: u64) -> Result<Arc<File>, WriteError> {
        let takes_more = |last: &Segment| last.appended < segment_bytes && last.number >= self.first_written;
        let full = !self.segments.back().is_some_and(takes_more);
        let file = match (full, self.open.clone()) {
            (false, Some(file)) => return Ok(file),
            (false, None) => self.reopen(),
            (true, _) => self.turn_over(),
        };
        let file = Arc::new(file.map_err(|error| WriteError::at(&self.directory, &error))?);
        self.open = Some(file.clone());
        Ok(file)
    }

    fn reopen(&self) -> io::Result<File> {
        self.segments.back().ok_or(io::ErrorKind::NotFound)?.open(&self.directory)
    }

    fn turn_over(&mut self) -> io::Result<File> {
        // The commit that follows syncs the new file only.
        if let Some(file) = self.open.take() {
            file.sync_data()?;
        }
        self.commit();
        let (segment, file) = Segment::create(&self.directory, self.next_number)?;
        self.next_number += 1;
        self.segments.push_back(segment);
        Ok(file)
    }

    fn write(&mut self, file: &File, frames: &[u8]) -> Result<(), WriteError> {
        let last = self.segments.back_mut().expect("a file to write to is a segment's");
        if let Err(error) = file.write_all_at(frames, last.appended) {
            // If this fails too, the rest is overwritten by the next batch or cut at the next start.
            let _ = file.set_len(last.appended);
            return Err(WriteError::at(&segment::path(&self.directory, last.number), &error));
        }
        last.appended += frames.len() as u64;
        last.modified = SystemTime::now();
        Ok(())
    }

    fn remember(&mut self, records: Vec<Record>) {
        for record in &records {
            self.newest.note(&record.source, record.timestamp);
        }
        if !self.followers.is_empty() {
            self.unpublished.extend(records);
        }
    }

    /// `records` without those stored before: a sender that was not told of our success sends them again.
    ///
    /// A record is a repetition if source, timestamp and text are those of one within the last 16 MiB.
    fn without_repetitions(&self, records: Vec<Record>) -> Result<Vec<Record>, WriteError> {
        let suspect = |record: &Record| self.newest.may_be_stored(record);
        let Some(oldest) =
            records.iter().filter(|record| suspect(record)).map(|record| record.timestamp).min()
        else {
            return Ok(records);
        };
        let stored = self.stored_since(oldest)?;
        Ok(records.into_iter().filter(|record| !suspect(record) || !stored.contains(record)).collect())
    }

    fn stored_since(&self, oldest: i64) -> Result<HashSet<Record>, WriteError> {
        let mut stored = HashSet::new();
        let mut bytes = 0;
        walk_back(&self.slices_up_to(|segment| segment.appended), |record| {
            bytes += record.text.len() as u64;
            if bytes > LOOK_BACK_BYTES || record.timestamp < oldest.saturating_sub(LOOK_BACK_SLACK) {
                return ControlFlow::Break(());
            }
            stored.insert(record);
            ControlFlow::Continue(())
        })?;
        Ok(stored)
    }

    fn slices_up_to(&self, end: impl Fn(&Segment) -> u64) -> Vec<Slice> {
        let slice = |segment: &Segment| Slice {
            path: segment::path(&self.directory, segment.number),
            end: end(segment),
        };
        self.segments.iter().map(slice).collect()
    }
}
