//! What is in the image: programs, the libraries they need, and the few files that programs expect anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::loader::libraries;
use super::program::Programs;

/// Where programs are in the image.
pub(super) const PROGRAMS: &str = "/usr/bin";

/// Files of the host that are taken along as they are, where they are there.
///
/// | file | for |
/// |---|---|
/// | `ca-certificates.crt` | whom to believe outside: stores, package indexes |
/// | `ld.so.cache` | where the loader finds libraries in unusual folders |
/// | `libnss_*`, `libresolv` | names of hosts, with older C libraries: loaded without being named |
const TAKEN: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache"];

/// Beginnings of names of libraries that are loaded by name at run time, from the folder that the C library is in.
const LOADED_BY_NAME: [&str; 3] = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

/// The firewall program loads its rules' kinds from here, below the folder of the C library.
const EXTENSIONS: &str = "xtables";

/// Folders that distributions have merged into those below `/usr`: the image has links in their places.
const MERGED: [(&str, &str); 4] =
    [("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/lib64", "usr/lib64")];

const PASSWD: &str =
    "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// One thing in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A folder with its mode.
    Folder(u32),
    /// A file of this host.
    Copy(PathBuf),
    /// A file with this content.
    Text(&'static str),
    /// A link to another path.
    Link(&'static str),
}

/// Everything in the image by its path, which begins with a slash.
pub(super) struct Content {
    entries: BTreeMap<PathBuf, Entry>,
    warnings: Vec<String>,
}

impl Content {
    /// All that `programs` need to run.
    pub(super) fn gather(programs: &Programs) -> anyhow::Result<Self> {
        let mut content = Self { entries: usual(), warnings: Vec::new() };
        for (name, path) in programs.all() {
            content.add_program(name, path)?;
        }
        for path in TAKEN.map(Path::new).into_iter().filter(|path| path.is_file()) {
            content.copy(path);
        }
        if !Path::new(TAKEN[0]).is_file() {
            content.warnings.push(format!("{} is missing: install ca-certificates", TAKEN[0]));
        }
        if !programs.missing().is_empty() {
            content.warnings.push(format!(
                "{} not found: apps are not kept away from the platform's ports; `apt-get install iptables` mends that",
                programs.missing().join(", ")
            ));
        }
        Ok(content)
    }

    /// By path: folders come before what is in them.
    pub(super) fn entries(&self) -> &BTreeMap<PathBuf, Entry> {
        &self.entries
    }

    /// What the operator should know.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn add_program(&mut self, name: &str, path: &Path) -> anyhow::Result<()> {
        self.entries.insert(Path::new(PROGRAMS).join(name), Entry::Copy(path.to_owned()));
        for library in libraries(path)? {
            let is_c_library =
                library.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libc.so"));
            if let Some(folder) = library.parent().filter(|_| is_c_library) {
                self.add_loaded_by_name(folder)?;
            }
            self.copy(&library);
        }
        Ok(())
    }

    fn add_loaded_by_name(&mut self, folder: &Path) -> anyhow::Result<()> {
        let mut found: Vec<_> = LOADED_BY_NAME.map(|name| folder.join(name)).to_vec();
        let extensions = folder.join(EXTENSIONS);
        if extensions.is_dir() {
            let listed = fs::read_dir(&extensions).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let listed = listed.with_context(|| format!("failed to read {}", extensions.display()))?;
            found.extend(listed.into_iter().map(|entry| entry.path()));
        }
        found.iter().filter(|path| path.is_file()).for_each(|path| self.copy(path));
        Ok(())
    }

    /// Takes a file along, at the path that it has here.
    fn copy(&mut self, path: &Path) {
        self.entries.insert(merged(path), Entry::Copy(path.to_owned()));
    }
}

/// Where a file of this host is in the image: `/lib/x.so` → `/usr/lib/x.so`.
fn merged(path: &Path) -> PathBuf {
    let below = MERGED
        .iter()
        .find_map(|(from, to)| Some(Path::new("/").join(to).join(path.strip_prefix(from).ok()?)));
    below.unwrap_or_else(|| path.to_owned())
}

fn usual() -> BTreeMap<PathBuf, Entry> {
    let entries = [
        ("/tmp", Entry::Folder(0o1777)),
        ("/run", Entry::Folder(0o755)),
        ("/root", Entry::Folder(0o700)),
        ("/var/lib/deis", Entry::Folder(0o700)),
        ("/etc/passwd", Entry::Text(PASSWD)),
        ("/etc/group", Entry::Text(GROUP)),
        ("/etc/nsswitch.conf", Entry::Text(NSSWITCH)),
    ];
    let links = MERGED.map(|(from, to)| (from, Entry::Link(to)));
    entries.into_iter().chain(links).map(|(path, entry)| (PathBuf::from(path), entry)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(merged(Path::new(path)), Path::new(expected));
    }

    #[test]
    fn libraries_are_where_every_program_looks_for_them() {
        check("/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6");
        check("/lib64/ld-linux-x86-64.so.2", "/usr/lib64/ld-linux-x86-64.so.2");
        check("/usr/lib/git-core/git", "/usr/lib/git-core/git");
        check("/libexec/x", "/libexec/x");
    }
}
