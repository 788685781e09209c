//! The source of one commit: the files that decide how it is built, and all of it as a tar archive.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use futures::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use crate::error::PushError;
use crate::git::git;

/// The largest file that is read for a decision.
const MAX_FILE: usize = 1024 * 1024;
/// How much of an archive is passed on at once.
const CHUNK: usize = 128 * 1024;

/// One commit in a repository, perhaps still in git's quarantine.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The repository.
    pub(crate) repository: PathBuf,
    /// Git's variables about where the objects are.
    pub(crate) quarantine: BTreeMap<String, String>,
    /// The commit.
    pub(crate) sha: String,
}

/// How an archive of a source is laid out for a build.
pub(crate) trait Layout: Send + 'static {
    /// Writes what comes before the source.
    fn begin(&mut self, archive: &mut tar::Builder<ArchiveWriter>) -> io::Result<()>;
    /// Where a file of the source goes; none leaves it out.
    fn place(&self, path: &Path, directory: bool) -> Option<PathBuf>;
    /// Who owns it there: user and group.
    fn owner(&self) -> u64;
    /// Another content for a file of the source.
    fn replacement(&self, path: &Path) -> Option<&[u8]>;
}

impl Source {
    /// The content of those of `names`, files in the root, that exist.
    pub(crate) async fn read(&self, names: &[&str]) -> Result<BTreeMap<String, String>, PushError> {
        let failed = || PushError::io("read the pushed files");
        let mut command = git(&self.repository);
        command.envs(&self.quarantine).args(["cat-file", "--batch", "--follow-symlinks"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed())?;
        let mut asking = child.stdin.take().expect("it was asked for");
        let questions: String = names.iter().map(|name| format!("{}:{name}\n", self.sha)).collect();
        asking.write_all(questions.as_bytes()).await.map_err(failed())?;
        drop(asking);
        let mut answers = Vec::new();
        let limit = ((MAX_FILE + 1024) * names.len()) as u64;
        let answering = child.stdout.take().expect("it was asked for");
        answering.take(limit).read_to_end(&mut answers).await.map_err(failed())?;
        parse_batch(&answers, names)
    }

    /// The whole source as a tar archive in `layout`. Fails, rather than ends early, when git does.
    pub(crate) fn archive(&self, layout: impl Layout) -> Box<dyn AsyncRead + Send + Unpin> {
        let (sender, receiver) = mpsc::channel(8);
        let source = self.clone();
        tokio::task::spawn_blocking(move || {
            let writer = ArchiveWriter { sender: sender.clone(), chunk: Vec::with_capacity(CHUNK) };
            if let Err(error) = source.write_archive(layout, writer) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        Box::new(StreamReader::new(Box::pin(stream(receiver))))
    }

    fn write_archive(&self, mut layout: impl Layout, writer: ArchiveWriter) -> io::Result<()> {
        let mut out = tar::Builder::new(writer);
        layout.begin(&mut out)?;
        let mut command = git(&self.repository);
        command.envs(&self.quarantine).args(["archive", "--format=tar", &self.sha]);
        let mut child = command.as_std_mut().stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut reading = child.stdout.take().expect("it was asked for");
        let copied = copy(&mut reading, &mut out, &layout);
        // What is left (the end marker, or all of it after a failure) must not block git.
        drop(reading);
        let status = child.wait()?;
        copied?;
        match status.code() {
            Some(0) => out.into_inner()?.flush(),
            _ => Err(io::Error::other("git archive failed")),
        }
    }
}

fn copy(
    reading: &mut impl Read,
    out: &mut tar::Builder<ArchiveWriter>,
    layout: &impl Layout,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(reading);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let kind = entry.header().entry_type();
        if kind == tar::EntryType::XGlobalHeader {
            continue;
        }
        let Some(target) = layout.place(&path, kind.is_dir()) else { continue };
        let mut header = entry.header().clone();
        header.set_uid(layout.owner());
        header.set_gid(layout.owner());
        header.set_username("")?;
        header.set_groupname("")?;
        match (entry.link_name()?, layout.replacement(&path)) {
            (Some(link), None) => out.append_link(&mut header, &target, link)?,
            (_, Some(content)) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(content.len() as u64);
                out.append_data(&mut header, &target, content)?;
            }
            (None, None) => out.append_data(&mut header, &target, &mut entry)?,
        }
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop)
}

/// Reads the answers of `git cat-file --batch`: `<sha> <type> <size>`, the content and a line end; or a line that says
/// why not.
fn parse_batch(answers: &[u8], names: &[&str]) -> Result<BTreeMap<String, String>, PushError> {
    let mut found = BTreeMap::new();
    let mut rest = answers;
    for name in names {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
        let (line, after) = (String::from_utf8_lossy(&rest[..end]).into_owned(), &rest[end + 1..]);
        rest = after;
        let words: Vec<_> = line.split(' ').collect();
        // Links that lead nowhere are told as `dangling 4`, without a sha, but with as many bytes after it.
        let [.., kind, size] = words[..] else { continue };
        let Ok(size) = size.parse::<usize>() else { continue };
        let content = rest.get(..size).ok_or_else(|| PushError::FileTooLarge((*name).to_owned()))?;
        rest = rest.get(size + 1..).unwrap_or_default();
        if kind == "blob" {
            found.insert((*name).to_owned(), String::from_utf8_lossy(content).into_owned());
        }
    }
    Ok(found)
}

fn stream(receiver: mpsc::Receiver<io::Result<Bytes>>) -> impl Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    })
}

/// Takes an archive from a blocking thread to whoever reads it.
pub(crate) struct ArchiveWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
}

impl Write for ArchiveWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        let sent = self.sender.blocking_send(Ok(chunk.into()));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the archive any more"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_answers_hold_files_that_exist() {
        let answers =
            b"x:Dockerfile missing\nabc blob 8\nweb: run\nsymlink 4\n../a\nabc tree 3\nxyz\nabc blob 0\n\n";
        let names = ["Dockerfile", "Procfile", "link", "folder", "empty"];
        let found = parse_batch(answers, &names).unwrap();
        let expected = [("Procfile", "web: run"), ("empty", "")];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    }

    #[test]
    fn a_cut_answer_is_a_file_too_large() {
        assert!(matches!(parse_batch(b"abc blob 80\nweb", &["Procfile"]), Err(PushError::FileTooLarge(_))));
    }
}
