//! The builder's side of the pre-receive hook: a socket where hooks of known sessions ask for their push.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deis_runtime::file::write_atomically;
use deis_runtime::secrets::random_hex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tracing::{debug, warn};

use crate::hook::{HookAnswer, HookRequest};
use crate::output::Output;
use crate::push::Push;

/// The longest request of a hook, in bytes: some 100,000 branches.
const MAX_REQUEST: u64 = 16 * 1024 * 1024;
/// How long a hook may take to say what it wants.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// What git runs. The program is passed beside, so that its path is never part of a script.
const SCRIPT: &str = "#!/bin/sh\nexec \"$DEIS_HOOK_PROGRAM\" hook pre-receive\n";

/// Sessions whose hooks may ask.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    pushes: Arc<Mutex<HashMap<String, Arc<Push>>>>,
}

/// A session whose hook may ask, until this is dropped.
pub(crate) struct Session {
    /// What the hook proves itself with.
    pub(crate) token: String,
    sessions: Sessions,
}

impl Sessions {
    /// Lets the hook of `push` ask.
    pub(crate) fn enter(&self, push: Push) -> Session {
        let token = random_hex();
        self.lock().insert(token.clone(), Arc::new(push));
        Session { token, sessions: self.clone() }
    }

    fn find(&self, token: &str) -> Option<Arc<Push>> {
        self.lock().get(token).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Push>>> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.token);
    }
}

/// Where hooks are and where they ask.
#[derive(Clone, Debug)]
pub(crate) struct HookPaths {
    /// The directory given to git as `core.hooksPath`.
    pub(crate) directory: PathBuf,
    /// The socket.
    pub(crate) socket: PathBuf,
}

/// Writes the hook below `run` and listens for it, for this user only.
pub(crate) fn bind(run: &Path) -> io::Result<(UnixListener, HookPaths)> {
    let paths = HookPaths { directory: run.join("hooks"), socket: run.join("hook.sock") };
    std::fs::create_dir_all(&paths.directory)?;
    write_atomically(&paths.directory.join("pre-receive"), SCRIPT.as_bytes(), 0o700)?;
    let _ = std::fs::remove_file(&paths.socket);
    let listener = UnixListener::bind(&paths.socket)?;
    std::fs::set_permissions(&paths.socket, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, paths))
}

/// Answers hooks until cancelled by being dropped.
pub(crate) async fn serve(listener: UnixListener, sessions: Sessions) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let sessions = sessions.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &sessions).await {
                        debug!(%error, "a hook went away");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "failed to accept a hook");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, sessions: &Sessions) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut limited = BufReader::new(reading.take(MAX_REQUEST));
    tokio::time::timeout(REQUEST_TIME, limited.read_line(&mut line)).await??;
    let request: HookRequest = serde_json::from_str(&line)?;
    let Some(push) = sessions.find(&request.token) else {
        return write(&mut writing, &HookAnswer::Exit(1)).await;
    };
    let (output, mut lines) = Output::channel();
    let running = tokio::spawn(async move { push.receive(request, &output).await });
    while let Some(line) = lines.recv().await {
        // A hook that left was killed with its session, which the push notices by itself.
        let _ = write(&mut writing, &HookAnswer::Line(line)).await;
    }
    let done = match running.await {
        Ok(done) => done,
        Err(error) => {
            warn!(%error, "a push ended unexpectedly");
            let text = " !     the builder failed; an operator finds more in its log".to_owned();
            write(&mut writing, &HookAnswer::Line(text)).await?;
            false
        }
    };
    write(&mut writing, &HookAnswer::Exit(u8::from(!done))).await
}

async fn write(stream: &mut OwnedWriteHalf, answer: &HookAnswer) -> io::Result<()> {
    let mut text = serde_json::to_vec(answer)?;
    text.push(b'\n');
    stream.write_all(&text).await
}
