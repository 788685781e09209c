//! One journal file, read as it grows.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// An open file and what was read of a line that is not whole yet.
pub(super) struct Source {
    file: File,
    inode: u64,
    pending: Vec<u8>,
}

impl Source {
    /// Opens the file to read it from its start.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode, pending: Vec::new() })
    }

    /// Which file it is, whatever its name.
    pub(super) fn inode(&self) -> u64 {
        self.inode
    }

    /// The lines that are new and whole.
    pub(super) fn lines(&mut self) -> io::Result<Vec<String>> {
        self.file.read_to_end(&mut self.pending)?;
        let Some(end) = self.pending.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let rest = self.pending.split_off(end + 1);
        let whole = std::mem::replace(&mut self.pending, rest);
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect())
    }

    /// As [`Source::lines`]; when another file took the name `path`, the rest of this one and then that one's.
    pub(super) fn lines_across_turn_over(&mut self, path: &Path) -> io::Result<Vec<String>> {
        // Asked before reading: what is written until the turn-over is then in the rest.
        let turned_over = fs::metadata(path)?.ino() != self.inode;
        let mut lines = self.lines()?;
        if turned_over {
            *self = Self::open(path)?;
            lines.extend(self.lines()?);
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_is_given_once_it_is_whole() {
        let mut file = tempfile::NamedTempFile::new().expect("file");
        let mut source = Source::open(file.path()).expect("opened");
        file.write_all(b"one\ntw").expect("written");
        assert_eq!(source.lines().expect("read"), ["one"]);
        file.write_all(b"o\n").expect("written");
        assert_eq!(source.lines().expect("read"), ["two"]);
        assert!(source.lines().expect("read").is_empty());
    }
}
