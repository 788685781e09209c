//! Files that are whole or absent, whatever happens while they are written.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces the file at `path` by `content` with `mode`: a crash leaves the old content or the new, never a part.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("a file needs a directory"))?;
    let name = path.file_name().ok_or_else(|| io::Error::other("a file needs a name"))?;
    let temporary = directory.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let directory = fs::File::open(directory)?;
    // Containers that share a directory may have the same process id: one at a time, until the handle is closed.
    directory.lock()?;
    let written = write_whole(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
        return written;
    }
    directory.sync_all()
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_write_the_same_file_and_none_fails() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("table.json");
        std::thread::scope(|scope| {
            let write = |text: &'static str| {
                let path = &path;
                scope.spawn(move || {
                    (0..20).for_each(|_| write_atomically(path, text.as_bytes(), 0o600).expect("written"))
                })
            };
            ["one", "another", "a third"]
                .map(write)
                .into_iter()
                .for_each(|thread| thread.join().expect("wrote"));
        });
        let names: Vec<_> = fs::read_dir(directory.path())
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["table.json"]);
    }
}
