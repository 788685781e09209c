//! A segment: one numbered file of frames, written at its end only.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::warn;

use crate::frame::{self, Framed};

/// One file of an app's log.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Its place in the order; file names hold it padded, so that they sort.
    pub(crate) number: u64,
    /// How much of it is on disk for sure, in bytes. Readers see no more.
    pub(crate) committed: u64,
    /// How much was written, in bytes.
    pub(crate) appended: u64,
    /// When it last grew.
    pub(crate) modified: SystemTime,
}

impl Segment {
    /// The segments in `directory`, oldest first; none if it does not exist.
    pub(crate) fn list(directory: &Path) -> io::Result<VecDeque<Self>> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(VecDeque::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let Some(number) = number_of(&entry.file_name().to_string_lossy()) {
                let metadata = entry.metadata()?;
                let (length, modified) = (metadata.len(), metadata.modified()?);
                found.push(Self { number, committed: length, appended: length, modified });
            }
        }
        found.sort_by_key(|segment| segment.number);
        Ok(found.into())
    }

    /// Makes the empty segment `number` in `directory`, which is made too, both for good.
    pub(crate) fn create(directory: &Path, number: u64) -> io::Result<(Self, File)> {
        if !directory.is_dir() {
            DirBuilder::new().mode(0o700).create(directory)?;
            sync_directory(directory.parent().unwrap_or(directory))?;
        }
        let path = path(directory, number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        sync_directory(directory)?;
        Ok((Self { number, committed: 0, appended: 0, modified: SystemTime::now() }, file))
    }

    /// Opens it to write on.
    pub(crate) fn open(&self, directory: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path(directory, self.number))
    }

    /// Cuts off what a crash left half written, and shows every record before it to `visit`.
    pub(crate) fn recover(&mut self, directory: &Path, mut visit: impl FnMut(Framed<'_>)) -> io::Result<()> {
        let path = path(directory, self.number);
        let bytes = fs::read(&path)?;
        let mut whole = 0;
        while let Some((record, length)) = frame::decode(&bytes[whole..]) {
            visit(record);
            whole += length;
        }
        if whole < bytes.len() {
            warn!(path = %path.display(), bytes = bytes.len() - whole, "cut a half written end off a log");
            let file = self.open(directory)?;
            file.set_len(whole as u64)?;
            file.sync_all()?;
        }
        (self.committed, self.appended) = (whole as u64, whole as u64);
        Ok(())
    }
}

/// Where segment `number` of `directory` is.
pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.log"))
}

/// The number in the file name of a segment.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// Makes new names in `directory` survive a crash.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
