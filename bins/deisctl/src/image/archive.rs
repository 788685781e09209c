//! The image's root file system as a tar archive: the same bytes for the same content.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tar::{Builder, EntryType, Header};

use super::content::{Content, Entry};

/// Folders that are nobody's content but have something in them.
const FOLDER_MODE: u32 = 0o755;
/// Programs and libraries; nothing in the image is secret.
const COPY_MODE: u32 = 0o755;
const TEXT_MODE: u32 = 0o644;
const LINK_MODE: u32 = 0o777;

/// The archive in a file without a name, to be read from its start.
pub(super) fn write(content: &Content) -> anyhow::Result<File> {
    let place = crate::temporary();
    let failed = || format!("failed to write the image in {}; check its space and owner", place.display());
    let file = tempfile::tempfile_in(&place).with_context(failed)?;
    let mut archive = Builder::new(io::BufWriter::new(file));
    let mut folders = BTreeSet::new();
    for (path, entry) in content.entries() {
        add_folders_above(&mut archive, path, &mut folders).with_context(failed)?;
        add(&mut archive, path, entry)
            .with_context(|| format!("failed to put {} into the image", path.display()))?;
        folders.insert(path.clone());
    }
    let mut file = archive.into_inner().and_then(|buffer| Ok(buffer.into_inner()?)).with_context(failed)?;
    file.rewind().with_context(failed)?;
    Ok(file)
}

fn add_folders_above(
    archive: &mut Builder<impl io::Write>,
    path: &Path,
    folders: &mut BTreeSet<PathBuf>,
) -> io::Result<()> {
    let above: Vec<_> = path.ancestors().skip(1).filter(|folder| folder.parent().is_some()).collect();
    for folder in above.into_iter().rev() {
        if folders.insert(folder.to_owned()) {
            append(archive, folder, EntryType::Directory, FOLDER_MODE, 0, io::empty())?;
        }
    }
    Ok(())
}

fn add(archive: &mut Builder<impl io::Write>, path: &Path, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::Folder(mode) => append(archive, path, EntryType::Directory, *mode, 0, io::empty()),
        Entry::Link(target) => {
            let mut header = header(EntryType::Symlink, LINK_MODE, 0);
            archive.append_link(&mut header, inside(path)?, target)
        }
        Entry::Text(text) => {
            append(archive, path, EntryType::Regular, TEXT_MODE, text.len() as u64, text.as_bytes())
        }
        Entry::Copy(source) => {
            let file = File::open(source)?;
            let length = file.metadata()?.len();
            append(archive, path, EntryType::Regular, COPY_MODE, length, file.take(length))
        }
    }
}

fn append(
    archive: &mut Builder<impl io::Write>,
    path: &Path,
    kind: EntryType,
    mode: u32,
    length: u64,
    content: impl Read,
) -> io::Result<()> {
    archive.append_data(&mut header(kind, mode, length), inside(path)?, content)
}

fn header(kind: EntryType, mode: u32, length: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(length);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// The path as archives have it: relative to the root.
fn inside(path: &Path) -> io::Result<&Path> {
    path.strip_prefix("/").map_err(io::Error::other)
}
