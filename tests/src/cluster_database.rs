//! The images of a cluster's own database: packages are fetched once per target directory, and not by every test.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::lab_host::Host;
use crate::program::target;

/// The image with the packages; its tag says what it is made from.
const SERVER: &str = "deis/postgres";
/// What it is made on top of.
const STACK: &str = "deis/stack:latest";

/// What an earlier test kept: the stack that is in the archive `stack`, and on top of it the newest image with the
/// packages, which may be of no use any more.
pub(crate) fn archive(stack: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory(stack)).ok()?.flatten().map(|entry| entry.path());
    let changed = |path: &PathBuf| {
        let found = path.metadata().and_then(|found| found.modified());
        found.unwrap_or(SystemTime::UNIX_EPOCH)
    };
    entries.filter(|path| path.extension().is_some_and(|end| end == "tar")).max_by_key(changed)
}

/// Has every host make the images that it needs, as an operator does, and keeps what was fetched for the next test.
pub(crate) fn make_images(hosts: &[Host], stack: &Path) {
    std::thread::scope(|scope| {
        for host in hosts {
            scope.spawn(|| host.run(["deisctl", "stack", "build"]).succeeded());
        }
    });
    let tags = hosts[0].docker(&["images", "--format", "{{.Tag}}", SERVER]).succeeded().stdout;
    // The newest comes first: others came from an archive.
    let tag = tags.lines().next().unwrap_or_else(|| panic!("{} has no image {SERVER}", hosts[0].name()));
    keep(&hosts[0], tag, stack);
}

fn keep(host: &Host, tag: &str, stack: &Path) {
    let path = directory(stack).join(format!("{tag}.tar"));
    if path.exists() {
        return;
    }
    std::fs::create_dir_all(directory(stack)).expect("the target directory can be written");
    let unfinished = path.with_extension(std::process::id().to_string());
    let image = format!("{SERVER}:{tag}");
    host.docker(&["save", "--output", &unfinished.display().to_string(), STACK, &image]).succeeded();
    std::fs::rename(&unfinished, &path).expect("a file can be renamed");
}

/// Of archives with the stack that is in the archive `stack`.
fn directory(stack: &Path) -> PathBuf {
    let name = stack.file_stem().unwrap_or_default();
    target().join("tmp/postgres").join(name)
}
