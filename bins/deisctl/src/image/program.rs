//! Programs of this host that roles need: our own, git and the firewall's.

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

/// Ours: beside this program, else where programs are looked for.
const OWN: [&str; 3] = ["deisd", "deisctl", "deis"];

/// What builders call: git, which starts its hooks with a shell.
const NEEDED: [&str; 2] = ["git", "sh"];

/// What publishers call to keep apps away from the platform's ports.
const WANTED: [&str; 4] = ["iptables", "iptables-restore", "iptables-save", "nft"];

/// Where administrators' programs are, which is often not where a user's are looked for.
const MORE_PLACES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/bin"];

/// Programs by the name that they are called by.
pub(super) struct Programs {
    own: Vec<(String, PathBuf)>,
    others: Vec<(String, PathBuf)>,
    missing: Vec<String>,
}

impl Programs {
    /// Finds them on this host; those that roles cannot do without must be there.
    pub(super) fn find() -> anyhow::Result<Self> {
        let own = env::current_exe().context("failed to find out where this program is")?;
        let beside = own.parent().map(Path::to_owned).into_iter();
        let path: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
        let places: Vec<_> = beside.chain(path).chain(MORE_PLACES.map(PathBuf::from)).collect();
        Self::find_in(&places)
    }

    fn find_in(places: &[PathBuf]) -> anyhow::Result<Self> {
        let find = |name: &str| places.iter().map(|place| place.join(name)).find(|path| path.is_file());
        let needed = |name: &&str| match find(name) {
            Some(path) => Ok(((*name).to_owned(), path)),
            None => bail!("there is no program {name} on this host; {}", cure(name)),
        };
        let own = OWN.iter().map(needed).collect::<anyhow::Result<_>>()?;
        let mut others: Vec<_> = NEEDED.iter().map(needed).collect::<anyhow::Result<_>>()?;
        let mut missing = Vec::new();
        for name in WANTED {
            match find(name) {
                Some(path) => others.push((name.to_owned(), path)),
                None => missing.push(name.to_owned()),
            }
        }
        Ok(Self { own, others, missing })
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.own.iter().chain(&self.others).map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// Where our program `name` is.
    pub(super) fn own(&self, name: &str) -> Option<PathBuf> {
        self.own.iter().find(|(found, _)| found == name).map(|(_, path)| path.clone())
    }

    /// Names of those that are not there, though a role would have use for them.
    pub(super) fn missing(&self) -> &[String] {
        &self.missing
    }

    /// What images of them are tagged with: the version and the digest.
    pub(super) fn tag(&self) -> anyhow::Result<String> {
        Ok(format!("{}-{}", deis_api::PLATFORM_VERSION, self.digest()?))
    }

    /// 12 hex digits that differ when our programs do.
    fn digest(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        for (name, path) in &self.own {
            hash.update(name.as_bytes());
            hash_file(path, &mut hash).with_context(|| format!("failed to read {}", path.display()))?;
        }
        Ok(hex::encode(&hash.finalize()[..6]))
    }
}

fn hash_file(path: &Path, hash: &mut Sha256) -> io::Result<()> {
    let mut file = File::open(path)?;
    hash.update(file.metadata()?.len().to_be_bytes());
    io::copy(&mut file, hash).map(drop)
}

fn cure(name: &str) -> String {
    match NEEDED.contains(&name) {
        true => format!("install it (`apt-get install {name}`)"),
        false => "put deisd, deisctl and deis into one folder".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn place(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("directory");
        for name in names {
            fs::write(directory.path().join(name), name).expect("written");
        }
        directory
    }

    #[test]
    fn the_digest_follows_our_programs_and_not_the_distributions() {
        let one = place(&["deisd", "deisctl", "deis", "git", "sh"]);
        let digest =
            |place: &Path| Programs::find_in(&[place.to_owned()]).expect("found").digest().expect("read");
        let before = digest(one.path());
        assert_eq!(before.len(), 12);
        fs::write(one.path().join("git"), "newer").expect("written");
        assert_eq!(digest(one.path()), before);
        fs::write(one.path().join("deis"), "newer").expect("written");
        assert_ne!(digest(one.path()), before);
    }

    #[test]
    fn what_roles_cannot_do_without_is_told_when_it_is_missing() {
        let refused = |names: &[&str]| {
            let place = place(names);
            Programs::find_in(&[place.path().to_owned()]).err().map(|error| error.to_string())
        };
        assert!(
            refused(&["deisd", "deisctl", "deis"]).is_some_and(|text| text.contains("apt-get install git"))
        );
        assert!(refused(&["deisd", "deisctl", "git"]).is_some_and(|text| text.contains("no program deis ")));
        assert_eq!(refused(&["deisd", "deisctl", "deis", "git", "sh"]), None);
    }
}
