//! A file for log lines that is turned over when it grows too large, so that logs never fill a disk.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// A file that is turned over at its limit; the one before is kept, with `.1` at the end of its name.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

impl Journal {
    /// Goes on with the file at `path`, made if missing, readable by its owner only; it holds about `limit_bytes`.
    pub fn open(path: PathBuf, limit_bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size, limit: limit_bytes })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let mut before = OsString::from(&self.path);
        before.push(".1");
        std::fs::rename(&self.path, before)?;
        *self = Self::open(self.path.clone(), self.limit)?;
        Ok(())
    }
}

/// Takes in whole lines: what one call writes stays in one file.
impl Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size >= self.limit {
            self.turn_over()?;
        }
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_older_file_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let mut journal = Journal::open(path.clone(), 8).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            journal.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "five\n");
        let before = std::fs::read_to_string(directory.path().join("access.log.1")).unwrap();
        assert_eq!(before, "three\nfour\n");
        let mut journal = Journal::open(path.clone(), 100).unwrap();
        journal.write_all(b"six\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "five\nsix\n");
    }
}
