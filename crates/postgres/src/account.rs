//! The account that PostgreSQL and what watches over it run as.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::process::Command;

use crate::error::DatabaseError;

/// Who the children are: another account if this process is root's, or whoever this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Own,
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// Looks `name` up, if it takes another account at all.
    pub(crate) fn find(name: &str) -> Result<Self, DatabaseError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
        parse(&known, name).ok_or_else(|| DatabaseError::Account { name: name.to_owned() })
    }

    /// A command that runs `program` as this account, in a process group of its own.
    ///
    /// It is asked to end when this process ends in any way, so that a killed role leaves nobody who holds its ports.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        if let Self::Other { uid, gid } = self {
            command.args([format!("--reuid={uid}"), format!("--regid={gid}")]).arg("--clear-groups");
        }
        command.args(["--pdeathsig", "TERM", "--"]).arg(program).process_group(0);
        command
    }

    /// Makes `directory` if it is missing, for this account alone.
    pub(crate) fn make_directory(self, directory: &Path) -> Result<(), DatabaseError> {
        let failed = |source| DatabaseError::File { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        self.own(directory).map_err(failed)
    }

    /// Replaces a file by one that this account alone can read: who reads sees the old content or the new.
    pub(crate) fn write(self, path: &Path, content: &[u8]) -> Result<(), DatabaseError> {
        let failed = |source| DatabaseError::File { path: path.to_owned(), source };
        // Owned before it is in place: programs read certificates whenever somebody connects.
        let next = path.with_extension("next");
        deis_runtime::file::write_atomically(&next, content, 0o600)
            .and_then(|()| self.own(&next))
            .and_then(|()| fs::rename(&next, path))
            .map_err(failed)
    }

    /// Makes the file or folder this account's.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        }
    }
}

fn parse(known: &str, name: &str) -> Option<Account> {
    let fields = known.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.into_iter().find(|fields| fields.first() == Some(&name))?;
    let (uid, gid) = (found.get(2)?.parse().ok()?, found.get(3)?.parse().ok()?);
    (uid != 0).then_some(Account::Other { uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_are_never_root() {
        let known =
            "root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\nbroken:x\n";
        assert_eq!(parse(known, "postgres"), Some(Account::Other { uid: 101, gid: 104 }));
        assert_eq!(parse(known, "root"), None);
        assert_eq!(parse(known, "broken"), None);
        assert_eq!(parse(known, "post"), None);
    }
}
