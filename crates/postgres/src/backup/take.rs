//! Taking a base backup: from the server on this host, through compression, into the store.

use std::io::{self, Write};
use std::process::Stdio;

use bytes::Bytes;
use deis_store::ByteStream;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::catalog::{Backup, Catalog};
use crate::error::DatabaseError;
use crate::server::Server;
use crate::wal::WalName;

/// How much is read from the server at once.
const PIECE_BYTES: usize = 256 << 10;
/// How hard a backup is compressed.
const LEVEL: i32 = 3;
/// How much of the beginning is looked at for the place in the log: the server sends it first.
const HEAD_BYTES: usize = 16 << 10;

/// What was learned about a backup on its way through.
struct Passed {
    head: Vec<u8>,
    digest: String,
}

/// Takes a backup of `server`'s database and marks it as whole.
pub(crate) async fn take(server: &Server, catalog: &Catalog) -> Result<Backup, DatabaseError> {
    let system = server.system()?;
    let begun = OffsetDateTime::now_utc().unix_timestamp();
    let mut command = server.command("pg_basebackup");
    // The log itself is archived; the server waits until all of it that the backup needs is.
    command.args([
        "--pgdata=-",
        "--format=tar",
        "--wal-method=none",
        "--checkpoint=fast",
        "--username=replicator",
    ]);
    command.arg("--no-password").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = |source: io::Error| failed(source.to_string());
    let mut child = command.kill_on_drop(true).spawn().map_err(run)?;
    let output = child.stdout.take().ok_or_else(|| failed("it has no output".to_owned()))?;
    let mut said = child.stderr.take().ok_or_else(|| failed("it has no messages".to_owned()))?;
    let messages = tokio::spawn(async move {
        let mut text = Vec::new();
        let _ = (&mut said).take(64 << 10).read_to_end(&mut text).await;
        // Whatever else it says is read as well, or it would wait for somebody to.
        let _ = tokio::io::copy(&mut said, &mut tokio::io::sink()).await;
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let (archive, passed) = compressed(output, async move {
        let status = child.wait().await?;
        let said = messages.await.unwrap_or_default();
        // A server that dies in between ends its output as if all were there.
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("pg_basebackup: {said}"))) }
    });
    let size = catalog.put(system, begun, archive).await?;
    let passed = passed.await.map_err(|_| failed("its output broke off".to_owned()))?;
    let first_wal =
        first_wal(&passed.head).ok_or_else(|| failed("it does not say where the log goes on".to_owned()))?;
    let ended = OffsetDateTime::now_utc().unix_timestamp();
    let backup = Backup { system, begun, ended, first_wal, digest: passed.digest, size };
    catalog.finish(&backup).await?;
    Ok(backup)
}

fn failed(reason: String) -> DatabaseError {
    DatabaseError::Run { program: "pg_basebackup".to_owned(), reason }
}

/// The bytes of `input`, compressed; fails at its end if `judge` does.
fn compressed(
    input: impl AsyncRead + Send + Unpin + 'static,
    judge: impl Future<Output = io::Result<()>> + Send + 'static,
) -> (ByteStream, oneshot::Receiver<Passed>) {
    let (pieces, received) = mpsc::channel::<io::Result<Bytes>>(4);
    let (tell, passed) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(error) = pump(input, judge, &pieces, tell).await {
            let _ = pieces.send(Err(error)).await;
        }
    });
    let stream = futures::stream::unfold(received, |mut received| async move {
        received.recv().await.map(|piece| (piece, received))
    });
    // A store may look again after the end.
    (stream.fuse().boxed(), passed)
}

async fn pump(
    mut input: impl AsyncRead + Unpin,
    judge: impl Future<Output = io::Result<()>>,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
    tell: oneshot::Sender<Passed>,
) -> io::Result<()> {
    let gone = || io::Error::other("nobody takes the backup any more");
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    let (mut head, mut digest) = (Vec::new(), Sha256::new());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = input.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        let missing = HEAD_BYTES.saturating_sub(head.len()).min(read);
        head.extend_from_slice(&piece[..missing]);
        encoder.write_all(&piece[..read])?;
        let packed = std::mem::take(encoder.get_mut());
        digest.update(&packed);
        if !packed.is_empty() {
            pieces.send(Ok(packed.into())).await.map_err(|_| gone())?;
        }
    }
    judge.await?;
    let packed = encoder.finish()?;
    digest.update(&packed);
    let _ = tell.send(Passed { head, digest: hex::encode(digest.finalize()) });
    pieces.send(Ok(packed.into())).await.map_err(|_| gone())
}

/// The file of the log that a backup begins in, as its label says: `START WAL LOCATION: 0/2000028 (file …)`.
fn first_wal(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let (_, rest) = text.split_once("START WAL LOCATION: ")?;
    let (_, rest) = rest.split_once("(file ")?;
    let (name, _) = rest.split_once(')')?;
    WalName::parse(name).ok().map(|name| name.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    #[test]
    fn the_label_says_where_the_log_goes_on() {
        let label =
            b"backup_label\0START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nCHECKPOINT";
        assert_eq!(first_wal(label).as_deref(), Some("000000010000000000000002"));
        assert_eq!(first_wal(b"START WAL LOCATION: 0/2000028 (file ../x)"), None);
        assert_eq!(first_wal(b""), None);
    }

    #[tokio::test]
    async fn a_backup_that_broke_off_is_never_whole() {
        let input = std::io::Cursor::new(vec![1_u8; 100_000]);
        let (stream, passed) = compressed(input, async { Err(io::Error::other("broke off")) });
        assert!(stream.try_collect::<Vec<Bytes>>().await.is_err());
        assert!(passed.await.is_err());
    }

    #[tokio::test]
    async fn what_goes_through_can_be_unpacked() {
        let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let (stream, passed) = compressed(std::io::Cursor::new(content.clone()), async { Ok(()) });
        let packed: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert!(zstd::decode_all(&packed.concat()[..]).unwrap() == content);
        assert_eq!(passed.await.unwrap().head, content[..HEAD_BYTES]);
    }
}
