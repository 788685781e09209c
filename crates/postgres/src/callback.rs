//! What PostgreSQL and Patroni call this program for. Each asks the keeper on this host and gives back the exit status
//! to end with.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::archive::DIGEST_HEADER;
use crate::error::DatabaseError;
use crate::wal::WalName;

/// The exit statuses that PostgreSQL knows.
const SUCCESS: u8 = 0;
const FAILURE: u8 = 1;
/// Has PostgreSQL end a recovery with an error, instead of taking the log to end here.
const BROKEN_OFF: u8 = 126;

/// Archives `file`, as PostgreSQL's `archive_command`. Success means that the store has it for good.
pub fn archive_wal(socket: &Path, file: &Path) -> u8 {
    let archived = async {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let content =
            fs::read(file).map_err(|source| DatabaseError::File { path: file.to_owned(), source })?;
        let (name, system) = (WalName::parse(name)?, system()?);
        let path = format!("/wal/{system}/{}", name.as_str());
        let response = ask(socket, Method::PUT, &path, content.into()).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(refused("archive", response).await),
        }
    };
    finish(archived, FAILURE)
}

/// Puts the log file `name` at `target`, as PostgreSQL's `restore_command`.
///
/// A file that the store does not have is a failure that PostgreSQL takes for the end of the log. So is a store that
/// does not answer, unless the log is `required`: then the recovery breaks off.
pub fn restore_wal(socket: &Path, name: &str, target: &Path, required: bool) -> u8 {
    let restored = async {
        let (name, system) = (WalName::parse(name)?, system()?);
        let response =
            ask(socket, Method::GET, &format!("/wal/{system}/{}", name.as_str()), Bytes::new()).await?;
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(FAILURE),
            StatusCode::OK => {}
            _ => return Err(refused("restore", response).await),
        }
        let content = response.into_body().collect().await.map_err(broken)?.to_bytes();
        fs::write(target, content)
            .map(|()| SUCCESS)
            .map_err(|source| DatabaseError::File { path: target.to_owned(), source })
    };
    let broken_off = if required { BROKEN_OFF } else { FAILURE };
    match run(restored) {
        Ok(code) => code,
        Err(error) => told(&error, broken_off),
    }
}

/// Makes the directory `data` and fills it with the newest base backup, as Patroni's way to make a database.
pub fn restore_base(socket: &Path, data: &Path) -> u8 {
    let restored = async {
        let response = ask(socket, Method::GET, "/base", Bytes::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(refused("restore a base backup", response).await);
        }
        let digest =
            response.headers().get(DIGEST_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        unpack(response.into_body(), data, &digest.unwrap_or_default()).await
    };
    finish(restored, FAILURE)
}

fn finish(work: impl Future<Output = Result<(), DatabaseError>>, failure: u8) -> u8 {
    match run(work) {
        Ok(()) => SUCCESS,
        Err(error) => told(&error, failure),
    }
}

/// PostgreSQL's log gets what is said here.
fn told(error: &DatabaseError, code: u8) -> u8 {
    eprintln!("deisd: {error}");
    code
}

fn run<T>(work: impl Future<Output = Result<T, DatabaseError>>) -> Result<T, DatabaseError> {
    let failed = |source| DatabaseError::Io { action: "start a thread", source };
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?.block_on(work)
}

/// The number of the database in the working directory, which is the one that calls.
fn system() -> Result<u64, DatabaseError> {
    let path = Path::new("global/pg_control");
    let mut bytes = [0; 8];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.map(|()| u64::from_ne_bytes(bytes))
        .map_err(|source| DatabaseError::File { path: path.to_owned(), source })
}

async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Response<Incoming>, DatabaseError> {
    let stream = UnixStream::connect(socket).await;
    let stream = stream.map_err(|source| DatabaseError::File { path: socket.to_owned(), source })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", "archive").body(Full::new(body));
    let request = request.map_err(broken)?;
    sender.send_request(request).await.map_err(broken)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> DatabaseError {
    DatabaseError::Io { action: "ask the keeper of the database", source: io::Error::other(error) }
}

async fn refused(action: &'static str, response: Response<Incoming>) -> DatabaseError {
    let status = response.status();
    let said = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[..said.len().min(500)]).into_owned();
    DatabaseError::Call {
        action,
        place: "the keeper of the database".to_owned(),
        reason: format!("{status} {said}"),
    }
}

/// Unpacks the compressed archive in `body` into `data`, checks its digest, and has the disk take it all.
async fn unpack(mut body: Incoming, data: &Path, digest: &str) -> Result<(), DatabaseError> {
    let (pieces, received) = mpsc::channel::<Bytes>(4);
    let target = data.to_owned();
    let unpacked = tokio::task::spawn_blocking(move || {
        // PostgreSQL refuses a folder that others can look into.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&target)?;
        let mut reader = Pieces { received, current: Bytes::new() };
        let mut archive = tar::Archive::new(zstd::Decoder::new(&mut reader)?);
        archive.set_preserve_permissions(true);
        archive.unpack(&target)?;
        // What follows the archive's end was sent as well, and counts for the digest.
        io::copy(&mut archive.into_inner(), &mut io::sink())?;
        io::copy(&mut reader, &mut io::sink())?;
        rustix::fs::syncfs(fs::File::open(&target)?).map_err(io::Error::from)
    });
    let mut found = Sha256::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
        found.update(&piece);
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let failed = |source| DatabaseError::File { path: data.to_owned(), source };
    unpacked.await.map_err(io::Error::other).and_then(|done| done).map_err(failed)?;
    match hex::encode(found.finalize()) == digest {
        true => Ok(()),
        false => {
            Err(failed(io::Error::other("the base backup is damaged: its content is not what was stored")))
        }
    }
}

/// Pieces that come from elsewhere, read in order.
struct Pieces {
    received: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.received.blocking_recv() {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
