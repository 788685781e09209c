//! Git's side of a copy: making packs of objects, taking them in, and pointing branches.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, bail};
use deis_store::ObjectStore;
use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio_util::io::ReaderStream;

use crate::app_uuid::AppUuid;
use crate::git::git;
use crate::repository::Repository;

use super::manifest::{key, new_name};

/// What a pack begins with: a word, its version and the number of its objects (gitformat-pack(5)).
const HEADER_BYTES: usize = 12;

/// Branches and tags, and their objects.
pub(super) type Refs = BTreeMap<String, String>;

/// Git's variables about where objects are that it has not let in yet.
pub(super) type Quarantine = BTreeMap<String, String>;

/// Branches and tags of `repository`.
pub(super) async fn refs(repository: &Path) -> anyhow::Result<Refs> {
    let listed = run(git(repository).args(["for-each-ref", "--format=%(refname) %(objectname)"])).await?;
    let text = String::from_utf8(listed.stdout).context("failed to read the names of branches")?;
    let pair = |line: &str| line.split_once(' ').map(|(name, object)| (name.to_owned(), object.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

/// Whether `repository` has all of `objects`.
pub(super) async fn has_all(
    repository: &Path,
    objects: impl Iterator<Item = &String>,
) -> anyhow::Result<bool> {
    let asked = git_with(repository, &["cat-file", "--batch-check"], &lines("", objects)).await?;
    Ok(!String::from_utf8_lossy(&asked.stdout).lines().any(|line| line.ends_with(" missing")))
}

/// Stores everything that `refs` lead to and `known` objects do not, and returns the pack's name; none if there is nothing.
pub(super) async fn store(
    store: &dyn ObjectStore,
    app: &AppUuid,
    repository: &Path,
    quarantine: &Quarantine,
    refs: &Refs,
    known: &BTreeSet<String>,
) -> anyhow::Result<Option<String>> {
    let mut pack =
        tempfile::tempfile_in(repository).context("failed to make room for a repository's copy")?;
    let mut making = git(repository);
    making.envs(quarantine).args([
        "pack-objects",
        "--revs",
        "--thin",
        "--stdout",
        "--delta-base-offset",
        "-q",
    ]);
    making.stdout(pack.try_clone().context("failed to open a pack")?);
    feed(&mut making, &(lines("", refs.values()) + &lines("^", known.iter()))).await?;
    if is_empty(&mut pack).context("failed to read a pack")? {
        return Ok(None);
    }
    let name = new_name("pack");
    let content = ReaderStream::new(tokio::fs::File::from_std(pack)).boxed();
    store.put(&key(app, &name), content).await?;
    Ok(Some(name))
}

/// Whether there are no objects in `pack`, which is then at its start.
fn is_empty(pack: &mut File) -> std::io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    pack.seek(SeekFrom::Start(0))?;
    pack.read_exact(&mut header)?;
    pack.seek(SeekFrom::Start(0))?;
    Ok(header[8..].iter().all(|byte| *byte == 0))
}

/// Brings the pack `name` into `repository`.
pub(super) async fn take_in(
    store: &dyn ObjectStore,
    app: &AppUuid,
    name: &str,
    repository: &Path,
) -> anyhow::Result<()> {
    let failed = || format!("failed to fetch {}", key(app, name));
    let pack = tempfile::tempfile_in(repository).context("failed to make room for a repository's copy")?;
    let mut target = tokio::fs::File::from_std(pack);
    let mut object = store.get(&key(app, name)).await?;
    while let Some(piece) = object.content.next().await {
        target.write_all(&piece.with_context(failed)?).await.with_context(failed)?;
    }
    target.flush().await.with_context(failed)?;
    let mut pack = target.into_std().await;
    pack.seek(SeekFrom::Start(0)).with_context(failed)?;
    run(git(repository).args(["index-pack", "--stdin", "--fix-thin"]).stdin(pack)).await.map(drop)
}

/// Fails unless everything is there that `objects` lead to.
pub(super) async fn check_whole(
    repository: &Path,
    objects: impl Iterator<Item = &String>,
) -> anyhow::Result<()> {
    let words = ["rev-list", "--objects", "--stdin", "--not", "--all", "--quiet"];
    let checked = git_with(repository, &words, &lines("", objects)).await;
    checked.map(drop).context("the copy of the repository is not whole")
}

/// Makes branches and tags of `repository` those of `refs`, no more and no fewer.
pub(super) async fn point(repository: &Repository, refs: &Refs) -> anyhow::Result<()> {
    let here = self::refs(&repository.path).await?;
    let gone = here.keys().filter(|name| !refs.contains_key(*name));
    let gone = gone.map(|name| format!("delete {name}\n"));
    let moved = refs.iter().filter(|(name, object)| here.get(*name) != Some(object));
    let moved = moved.map(|(name, object)| format!("update {name} {object}\n"));
    let wanted = gone.chain(moved).collect::<String>();
    git_with(&repository.path, &["update-ref", "--stdin"], &wanted).await.map(drop)
}

fn lines<'a>(before: &str, words: impl Iterator<Item = &'a String>) -> String {
    words.map(|word| format!("{before}{word}\n")).collect()
}

async fn git_with(repository: &Path, words: &[&str], input: &str) -> anyhow::Result<Output> {
    feed(git(repository).args(words).stdout(Stdio::piped()), input).await
}

async fn run(command: &mut Command) -> anyhow::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().context("failed to start git")?;
    judge(child.wait_with_output().await.context("failed to run git")?)
}

/// Runs `command` on `input`, which it may answer before it has read all of it.
async fn feed(command: &mut Command, input: &str) -> anyhow::Result<Output> {
    let mut child =
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().context("failed to start git")?;
    let stdin = child.stdin.take();
    let feeding = async {
        if let Some(mut stdin) = stdin {
            // If it ends before it has read everything, its status says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feeding);
    judge(output.context("failed to run git")?)
}

fn judge(output: Output) -> anyhow::Result<Output> {
    if !output.status.success() {
        bail!("git failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output)
}
