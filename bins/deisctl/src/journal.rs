//! `deisctl journal`: what roles wrote into their journal, on this machine or on any host of its cluster.

mod cluster;
mod follow;
mod record;
mod source;
mod tail;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use deis_runtime::Role;

use crate::arguments::JournalCommand;
use crate::fleet::Fleet;
use crate::platform::Platform;

use record::Record;
pub(crate) use record::plain;
use source::Source;

/// How often a followed journal is looked at.
const PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn run(
    platform: &Platform,
    command: &JournalCommand,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if let Some(fleet) = Fleet::if_any(platform).await? {
        return cluster::run(&fleet, command, out).await;
    }
    platform.data()?;
    let roles = command.units.iter().map(|unit| unit.parse()).collect::<Result<Vec<Role>, _>>()?;
    let directory = platform.root().join("journal");
    let failed = || format!("failed to read the journal in {}", directory.display());
    let mut journal = Journal { directory: directory.clone(), sources: BTreeMap::new() };
    let lines = journal.open().with_context(failed)?;
    if lines.is_empty() && !command.follow {
        bail!("the journal in {} is empty; start the platform with `deisd run`", directory.display());
    }
    let records = matching(lines, &roles);
    print(&records[records.len().saturating_sub(command.lines)..], out)?;
    if command.follow {
        follow(&mut journal, &roles, out).await.with_context(failed)?;
    }
    Ok(())
}

/// Prints what comes, for ever.
async fn follow(journal: &mut Journal, roles: &[Role], out: &mut dyn Write) -> io::Result<()> {
    loop {
        tokio::time::sleep(PAUSE).await;
        print(&matching(journal.news()?, roles), out)?;
    }
}

/// The records of `roles` (of everything, if there are none) among `lines`, oldest first.
fn matching(lines: Vec<String>, roles: &[Role]) -> Vec<Record> {
    let wanted =
        |record: &Record| roles.is_empty() || record.role().is_some_and(|role| roles.contains(&role));
    let mut records: Vec<Record> =
        lines.iter().filter_map(|line| Record::parse(line)).filter(wanted).collect();
    records.sort_by(|one, other| one.timestamp.cmp(&other.timestamp));
    records
}

fn print(records: &[Record], out: &mut dyn Write) -> io::Result<()> {
    records.iter().try_for_each(|record| writeln!(out, "{record}"))?;
    out.flush()
}

/// The journals of all processes of the platform on this machine.
struct Journal {
    directory: PathBuf,
    sources: BTreeMap<PathBuf, Source>,
}

impl Journal {
    /// Everything there is, those files included that were turned over.
    fn open(&mut self) -> io::Result<Vec<String>> {
        let mut lines = self.news()?;
        for path in self.files("1")? {
            // Turned over a moment ago: already read under its old name.
            let inode = fs::metadata(&path)?.ino();
            if !self.sources.values().any(|source| source.inode() == inode) {
                lines.extend(Source::open(&path)?.lines()?);
            }
        }
        Ok(lines)
    }

    /// What was written since it was last asked, also by processes that are new and across turn-overs.
    fn news(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        for path in self.files("jsonl")? {
            match self.sources.get_mut(&path) {
                Some(source) => lines.extend(source.lines_across_turn_over(&path)?),
                None => {
                    let mut source = Source::open(&path)?;
                    lines.extend(source.lines()?);
                    self.sources.insert(path, source);
                }
            }
        }
        Ok(lines)
    }

    fn files(&self, extension: &str) -> io::Result<Vec<PathBuf>> {
        let listed = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed?,
        };
        let paths = listed.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| has_extension(path, extension)).collect())
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u8, target: &str) -> String {
        format!(
            r#"{{"timestamp":"2026-01-01T00:00:0{second}.000000Z","level":"INFO","fields":{{"message":"m{second}"}},"target":"{target}"}}"#
        ) + "\n"
    }

    fn times(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| &record.timestamp[18..19]).collect()
    }

    fn journal(directory: &Path) -> Journal {
        Journal { directory: directory.to_owned(), sources: BTreeMap::new() }
    }

    #[test]
    fn files_of_all_processes_are_merged_by_time() {
        let directory = tempfile::tempdir().expect("directory");
        fs::write(directory.path().join("a.jsonl.1"), line(1, "deis_router")).expect("written");
        fs::write(directory.path().join("a.jsonl"), line(4, "deis_router")).expect("written");
        fs::write(directory.path().join("b.jsonl"), line(2, "deis_logger") + &line(3, "deis_router::x"))
            .expect("written");
        let lines = journal(directory.path()).open().expect("read");
        assert_eq!(times(&matching(lines.clone(), &[])), ["1", "2", "3", "4"]);
        assert_eq!(times(&matching(lines, &[Role::Router])), ["1", "3", "4"]);
    }

    #[test]
    fn following_goes_on_across_a_turn_over_and_sees_new_processes() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("a.jsonl");
        fs::write(&path, line(1, "deisd")).expect("written");
        let mut journal = journal(directory.path());
        journal.open().expect("read");
        let mut old = fs::OpenOptions::new().append(true).open(&path).expect("opened");
        old.write_all(line(2, "deisd").as_bytes()).expect("written");
        fs::rename(&path, directory.path().join("a.jsonl.1")).expect("turned over");
        fs::write(&path, line(3, "deisd")).expect("written");
        fs::write(directory.path().join("b.jsonl"), line(4, "deisd")).expect("written");
        assert_eq!(times(&matching(journal.news().expect("read"), &[])), ["2", "3", "4"]);
        assert!(journal.news().expect("read").is_empty());
    }

    #[test]
    fn a_missing_journal_is_an_empty_one() {
        let directory = tempfile::tempdir().expect("directory");
        assert!(journal(&directory.path().join("none")).open().expect("read").is_empty());
    }
}
