//! One command on one channel of a connection: git as a child process between the client and the repository.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use deis_model::AppId;
use russh::server::Msg;
use russh::{Channel, ChannelReadHalf, ChannelWriteHalf};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::app_uuid::AppUuid;
use crate::attendance::Attendance;
use crate::command::{Command, Service};
use crate::error::PushError;
use crate::git::git;
use crate::hook;
use crate::lock::Lock;
use crate::mirror::{Copy, Mirror};
use crate::push::{Platform, Push};
use crate::receive::{HookPaths, Session, Sessions};
use crate::repository::{Repositories, Repository};
use crate::user::{User, read_config};

/// The channel number of standard error (RFC 4254, 5.2).
pub(crate) const STDERR: u32 = 1;
/// How often, and with which pause, a lock is tried before the app counts as being pushed to.
const LOCK_TRIES: usize = 4;
const LOCK_PAUSE: Duration = Duration::from_millis(200);
/// How long a pusher is held for that, so that the next push finds the repository unlocked.
const SETTLE_WAIT: Duration = Duration::from_secs(10);

/// What all sessions share.
#[derive(Clone)]
pub(crate) struct Workshop {
    /// The rest of the platform.
    pub(crate) platform: Platform,
    /// Repositories.
    pub(crate) repositories: Repositories,
    /// Their copies in the store, if there are any.
    pub(crate) mirror: Option<Mirror>,
    /// Pushes whose hooks may ask.
    pub(crate) sessions: Sessions,
    /// Where hooks are.
    pub(crate) hooks: HookPaths,
    /// Cancelled when pushes under way must end.
    pub(crate) ending: CancellationToken,
}

/// Where a connection comes from and leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// The client.
    pub(crate) client: SocketAddr,
    /// This server.
    pub(crate) server: SocketAddr,
}

/// A command of a user on a channel.
pub(crate) struct Execution {
    /// What all sessions share.
    pub(crate) workshop: Workshop,
    /// Who asks, or why that is not known.
    pub(crate) user: Result<User, String>,
    /// From where.
    pub(crate) ends: Ends,
    /// What was asked for.
    pub(crate) request: Vec<u8>,
}

impl Execution {
    /// Runs the command on `channel` and closes it with the exit status.
    pub(crate) async fn run(self, channel: Channel<Msg>) {
        let (reading, writing) = channel.split();
        let status = match self.execute(reading, &writing).await {
            Ok(status) => status,
            Err(refusal) => {
                say(&writing, &refusal).await;
                1
            }
        };
        // The client may be gone already; there is nobody else to tell.
        let _ = writing.eof().await;
        let _ = writing.exit_status(status).await;
        let _ = writing.close().await;
    }

    async fn execute(
        &self,
        reading: ChannelReadHalf,
        writing: &ChannelWriteHalf<Msg>,
    ) -> Result<u32, Vec<String>> {
        let user = self.user.as_ref().map_err(|reason| vec![format!(" !     {reason}")])?;
        match Command::parse(&self.request).map_err(|error| vec![format!(" !     {error}")])? {
            Command::Ping => {
                let _ = writing.data_bytes("pong").await;
                Ok(0)
            }
            Command::Git { service, app } => {
                let served = self.serve(service, user, &app, reading, writing).await;
                served.map_err(|error| {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    info!(%app, user = %user.name, %error, source, "refused");
                    error.lines()
                })
            }
        }
    }

    async fn serve(
        &self,
        service: Service,
        user: &User,
        app: &AppId,
        reading: ChannelReadHalf,
        writing: &ChannelWriteHalf<Msg>,
    ) -> Result<u32, PushError> {
        let (uuid, _) = read_config(&self.workshop.platform.controller, user, app).await?;
        let left = CancellationToken::new();
        let Opened { repository, lock, copy } = self.open(service, &uuid).await?;
        let (child, session) = match service {
            Service::UploadPack => (self.spawn(service, &repository, None)?, None),
            Service::ReceivePack => {
                let session =
                    self.enter(user, (app, uuid.clone()), (repository.clone(), copy.clone()), left.clone());
                (self.spawn(service, &repository, Some(&session))?, Some(session))
            }
        };
        info!(%app, user = %user.name, service = service.as_str(), "serving");
        let attendance = Attendance::new(left, self.workshop.platform.settings.limits.stalled);
        let status = attendance.run(child, service, reading, writing).await;
        drop(session);
        settle(uuid, copy, lock).await;
        status.map_err(PushError::io("run git"))
    }

    /// Opens the repository: under its lock for pushes, and where it has to be made first.
    async fn open(&self, service: Service, app: &AppUuid) -> Result<Opened, PushError> {
        let found = self.workshop.repositories.find(app).filter(|_| self.workshop.mirror.is_none());
        if let (Service::UploadPack, Some(repository)) = (service, found) {
            return Ok(Opened { repository, lock: None, copy: None });
        }
        let lock = self.lock(app).await?;
        let opened = self.workshop.repositories.open(app, &lock).await;
        let repository = opened.map_err(PushError::io("open the repository"))?;
        let copy = match &self.workshop.mirror {
            Some(mirror) => {
                let restored = mirror.restore(app, &repository, &lock).await;
                let away = |error| PushError::CopyAway(io::Error::other(format!("{error:#}")));
                Some(Arc::new(restored.map_err(away)?))
            }
            None => None,
        };
        // Reading needs no lock once the repository is there and up to date.
        Ok(Opened { repository, lock: Some(lock).filter(|_| service == Service::ReceivePack), copy })
    }

    /// Takes the app's lock, if need be after the clean-up's short hold.
    async fn lock(&self, app: &AppUuid) -> Result<Lock, PushError> {
        for _ in 0..LOCK_TRIES {
            let lock = self.workshop.repositories.lock(app).map_err(PushError::io("lock the repository"))?;
            if let Some(lock) = lock {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        Err(PushError::Busy)
    }

    fn enter(
        &self,
        user: &User,
        (app, uuid): (&AppId, AppUuid),
        (repository, copy): (Repository, Option<Arc<Copy>>),
        left: CancellationToken,
    ) -> Session {
        let Ends { client, server } = self.ends;
        self.workshop.sessions.enter(Push {
            platform: self.workshop.platform.clone(),
            user: user.clone(),
            app: app.clone(),
            uuid,
            repository,
            copy,
            connection: format!("{} {} {} {}", client.ip(), client.port(), server.ip(), server.port()),
            command: String::from_utf8_lossy(&self.request).into_owned(),
            left,
            ending: self.workshop.ending.clone(),
        })
    }

    fn spawn(
        &self,
        service: Service,
        repository: &Repository,
        session: Option<&Session>,
    ) -> Result<Child, PushError> {
        let settings = &self.workshop.platform.settings;
        let mut command = git(&repository.path);
        command.env_remove("GIT_DIR");
        if let Some(session) = session {
            let hooks = &self.workshop.hooks;
            command.arg("-c").arg(format!("core.hooksPath={}", hooks.directory.display()));
            command.arg("-c").arg(format!("receive.maxInputSize={}", settings.limits.push_bytes));
            command.env(hook::SOCKET, &hooks.socket).env(hook::TOKEN, &session.token);
            command.env(hook::PROGRAM, &settings.hook_program);
        }
        command.arg(service.as_str()).arg(&repository.path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(PushError::io("start git"))
    }
}

/// A repository that is up to date.
struct Opened {
    repository: Repository,
    /// Held while it may change.
    lock: Option<Lock>,
    /// Its copy in the store, if there are any.
    copy: Option<Arc<Copy>>,
}

/// Compares what git let in with the copy, before the next push. A slow store goes on without the pusher.
async fn settle(app: AppUuid, copy: Option<Arc<Copy>>, lock: Option<Lock>) {
    let (Some(copy), Some(lock)) = (copy, lock) else { return };
    let settling = tokio::spawn(async move {
        if let Err(error) = copy.settle().await {
            warn!(%app, error = %format!("{error:#}"), "failed to compare a repository with its copy; the next push does");
        }
        drop(lock);
    });
    let _ = tokio::time::timeout(SETTLE_WAIT, settling).await;
}

async fn say(writing: &ChannelWriteHalf<Msg>, lines: &[String]) {
    for line in lines {
        let _ = writing.extended_data_bytes(STDERR, format!("{line}\n")).await;
    }
}
