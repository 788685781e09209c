//! Shared libraries of programs, found by the loader that they name themselves: what it would load is what they need.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The first bytes of an ELF file of 64 bits, lowest byte first.
const ELF: &[u8] = b"\x7fELF\x02\x01";
/// The header's length.
const HEADER: usize = 64;
/// Where it says where segments are described, how long one description is, and how many there are.
const SEGMENTS_AT: usize = 32;
const SEGMENT_LENGTH_AT: usize = 54;
const SEGMENT_COUNT_AT: usize = 56;
/// A description's shortest length, and the kind of segment that holds the loader's path.
const SEGMENT: usize = 56;
const INTERPRETER: u32 = 3;
/// Longer than any path is.
const PATH_LIMIT: u64 = 4096;

/// The loader of `program` and every library that it would load; nothing for static programs and for scripts.
pub(super) fn libraries(program: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let failed = || format!("failed to find the libraries of {}", program.display());
    let Some(loader) = interpreter(program).with_context(failed)? else { return Ok(BTreeSet::new()) };
    let output = Command::new(&loader)
        .arg("--list")
        .arg(program)
        .env_clear()
        .output()
        .with_context(|| format!("failed to start {}", loader.display()))?;
    if !output.status.success() {
        bail!("{}: {}", failed(), String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut found = listed(&String::from_utf8_lossy(&output.stdout)).with_context(failed)?;
    found.insert(loader);
    Ok(found)
}

/// The paths in the loader's list: lines as `libc.so.6 => /lib/libc.so.6 (0x00007f…)`, or `/lib/x.so (0x…)`.
fn listed(text: &str) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, place) = line.split_once(" => ").unwrap_or((line, line));
        if place.starts_with("not found") {
            bail!("there is no library {name} on this host");
        }
        let path = place.rsplit_once(" (").map_or(place, |(path, _)| path);
        // The kernel's own has no path.
        if path.starts_with('/') {
            found.insert(PathBuf::from(path));
        }
    }
    Ok(found)
}

/// The loader that the program names, if it is one that needs any.
fn interpreter(program: &Path) -> io::Result<Option<PathBuf>> {
    let mut file = File::open(program)?;
    let mut header = [0; HEADER];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    if !header.starts_with(ELF) {
        return Ok(None);
    }
    let start = u64::from_le_bytes(bytes(&header, SEGMENTS_AT));
    let length = u64::from(u16::from_le_bytes(bytes(&header, SEGMENT_LENGTH_AT)));
    let count = u64::from(u16::from_le_bytes(bytes(&header, SEGMENT_COUNT_AT)));
    for number in 0..count {
        let mut segment = [0; SEGMENT];
        file.read_exact_at(&mut segment, start.saturating_add(number.saturating_mul(length)))?;
        if u32::from_le_bytes(bytes(&segment, 0)) == INTERPRETER {
            return path(
                &file,
                u64::from_le_bytes(bytes(&segment, 8)),
                u64::from_le_bytes(bytes(&segment, 32)),
            );
        }
    }
    Ok(None)
}

fn path(file: &File, at: u64, length: u64) -> io::Result<Option<PathBuf>> {
    let length = usize::try_from(length.min(PATH_LIMIT)).map_err(io::Error::other)?;
    let mut text = vec![0; length];
    file.read_exact_at(&mut text, at)?;
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let text = String::from_utf8(text[..end].to_vec()).map_err(io::Error::other)?;
    Ok(Some(text.into()).filter(|path: &PathBuf| path.is_absolute()))
}

fn bytes<const N: usize>(of: &[u8], at: usize) -> [u8; N] {
    of[at..at + N].try_into().expect("offsets are within headers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_needs_its_loader_and_its_libraries() {
        let own = std::env::current_exe().expect("this test");
        let found = libraries(&own).expect("found");
        let has = |part: &str| found.iter().any(|path| path.to_string_lossy().contains(part));
        assert!(has("libc.so") && has("ld-linux"), "{found:?}");
        assert!(found.iter().all(|path| path.is_file()), "{found:?}");
    }

    #[test]
    fn what_is_no_program_needs_nothing() {
        let directory = tempfile::tempdir().expect("directory");
        for (name, content) in [("script", &b"#!/bin/sh\n"[..]), ("empty", b""), ("cut", b"\x7fELF\x02\x01")]
        {
            let path = directory.path().join(name);
            std::fs::write(&path, content).expect("written");
            assert!(libraries(&path).expect("read").is_empty(), "{name}");
        }
    }

    #[test]
    fn a_damaged_program_is_an_error_and_no_panic() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("damaged");
        let mut content = ELF.to_vec();
        content.resize(HEADER, 0xff);
        std::fs::write(&path, content).expect("written");
        assert!(libraries(&path).is_err());
    }

    #[test]
    fn the_loaders_list_is_read_line_by_line() {
        let text = "\tlinux-vdso.so.1 (0x00007ffe)\n\tlibz.so.1 => /lib/libz.so.1 (0x00007f)\n\t/lib64/ld.so.2 (0x7f)\n";
        let found: Vec<_> = listed(text).expect("read").into_iter().collect();
        assert_eq!(found, [Path::new("/lib/libz.so.1"), Path::new("/lib64/ld.so.2")]);
        assert!(listed("libx.so => not found\n").is_err());
    }
}
