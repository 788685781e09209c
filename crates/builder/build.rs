//! Lists the scripts of `runner` and `buildpacks`, so that they become part of the executable.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts"));
    let mut files = Vec::new();
    for folder in ["buildpacks", "runner"] {
        println!("cargo::rerun-if-changed={folder}");
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let rows: String = files.iter().map(|file| row(&root, file)).collect();
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it for build scripts"));
    fs::write(target.join("scripts.rs"), format!("&[\n{rows}]\n"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => collect(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}

/// Named from the manifest's folder as it is at compile time: a checkout may move with its target folder.
fn row(root: &Path, file: &Path) -> String {
    let name = file.strip_prefix(root).expect("it was found below the root").display().to_string();
    format!(
        "    ({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))),\n",
        format!("/{name}")
    )
}
