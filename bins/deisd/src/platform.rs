//! Running roles until told to end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use deis_runtime::{Claim, DataDir, Role, StatusBoard, telemetry};
use deis_scheduler::{Engine, SchedulerError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::parts::Parts;
use crate::settings::Settings;

/// How soon an engine that does not answer is asked again.
const ENGINE_RETRY: Duration = Duration::from_secs(1);

/// The roles of this process.
struct Platform {
    parts: Parts,
}

/// The roles at work.
type Tasks = JoinSet<(Role, anyhow::Result<()>)>;

/// Runs `roles`, or all of them, until SIGTERM or SIGINT.
pub(crate) fn run(settings: Settings, roles: Vec<Role>) -> anyhow::Result<()> {
    let roles = if roles.is_empty() { Role::ALL.to_vec() } else { roles };
    let data = DataDir::open(&settings.data_dir)?;
    let claims = claim(&data, &roles)?;
    start_telemetry(&data, &roles)?;
    raise_open_files();
    let platform = Platform { parts: Parts::open(settings, data, claims, &roles)? };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start threads")?;
    runtime.block_on(platform.run(roles))
}

/// Every visitor takes two files, so the soft limit of 1,024 that shells hand on is raised as far as is allowed.
fn raise_open_files() {
    let allowed = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, maximum: allowed.maximum });
    if let Err(error) = raised {
        warn!(%error, "failed to raise the limit of open files; many visitors at once may be refused");
    }
}

/// Claims every one of `roles`, before anything of theirs is touched.
fn claim(data: &DataDir, roles: &[Role]) -> anyhow::Result<BTreeMap<Role, Claim>> {
    roles.iter().map(|role| Ok((*role, Claim::take(data, *role)?))).collect()
}

fn start_telemetry(data: &DataDir, roles: &[Role]) -> anyhow::Result<()> {
    let name = match roles {
        [role] => role.to_string(),
        _ => "deisd".to_owned(),
    };
    let journal = data.directory("journal")?;
    telemetry::start(&journal, &name).with_context(|| format!("failed to log to {}", journal.display()))
}

impl Platform {
    async fn run(self, roles: Vec<Role>) -> anyhow::Result<()> {
        let mut running = JoinSet::new();
        let boards: Vec<(Role, StatusBoard)> =
            roles.into_iter().map(|role| (role, StatusBoard::new(role))).collect();
        for (role, board) in &boards {
            self.answer(*role, board.clone(), &mut running);
            self.answer_operators(*role, board.clone(), &mut running);
        }
        tokio::select! {
            started = self.start_all(&boards, &mut running) => started?,
            () = end_signal() => self.parts.shutdown.cancel(),
        }
        self.supervise(running).await
    }

    /// Lets the role's status be asked for, also while it still waits for something.
    fn answer(&self, role: Role, board: StatusBoard, running: &mut Tasks) {
        let (data, shutdown) = (self.parts.data.clone(), self.parts.shutdown.clone());
        running.spawn(async move {
            (role, board.serve(&data, role, shutdown).await.context("failed to answer on the status socket"))
        });
    }

    /// The same for operators on other hosts, where there are any.
    fn answer_operators(&self, role: Role, board: StatusBoard, running: &mut Tasks) {
        let Some(answering) = self.parts.status_for_operators(board) else { return };
        running.spawn(
            async move { (role, answering.await.context("failed to answer operators on other hosts")) },
        );
    }

    async fn start_all(&self, boards: &[(Role, StatusBoard)], running: &mut Tasks) -> anyhow::Result<()> {
        let (with_engine, without): (Vec<_>, Vec<_>) =
            boards.iter().partition(|(role, _)| needs_engine(*role));
        // Visitors come first: the router serves its last table while everything else still starts.
        for (role, board) in without {
            self.start(*role, None, board, running).await?;
        }
        let Some((_, board)) = with_engine.first() else { return Ok(()) };
        let engine = self.await_engine(board).await?;
        for (role, board) in with_engine {
            self.start(*role, Some(engine.clone()), board, running).await?;
        }
        Ok(())
    }

    async fn start(
        &self,
        role: Role,
        engine: Option<Engine>,
        board: &StatusBoard,
        running: &mut Tasks,
    ) -> anyhow::Result<()> {
        let work = self
            .parts
            .bind(role, engine, board.clone())
            .await
            .with_context(|| format!("failed to start the {role}"))?;
        running.spawn(async move { (role, work.await) });
        info!(role = %role, "started");
        Ok(())
    }

    /// Opens the engine, however long it takes to answer: what runs needs nobody meanwhile.
    async fn await_engine(&self, board: &StatusBoard) -> anyhow::Result<Engine> {
        let mut told = false;
        loop {
            match deis_scheduler::open(&self.parts.settings.scheduler, self.parts.engine_options()).await {
                Ok(engine) => {
                    board.well("engine");
                    return Ok(engine);
                }
                Err(error @ SchedulerError::Url { .. }) => return Err(error.into()),
                Err(error) => {
                    if !told {
                        warn!(error = %error, "waiting for the container engine");
                    }
                    told = true;
                    board.trouble(
                        "engine",
                        &error,
                        "start the container engine (as in: systemctl start docker)",
                    );
                    tokio::time::sleep(ENGINE_RETRY).await;
                }
            }
        }
    }

    /// Waits for the end of any role or a signal; then has all of them end in good order.
    async fn supervise(self, mut running: Tasks) -> anyhow::Result<()> {
        let first = tokio::select! {
            ended = running.join_next() => ended,
            () = end_signal() => None,
            () = self.parts.shutdown.cancelled() => None,
        };
        self.parts.shutdown.cancel();
        let outcome = first.map_or(Ok(()), judge);
        let rest = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.parts.settings.ending.limit(), rest).await.is_err() {
            warn!("some roles did not end in time");
        }
        outcome
    }
}

/// A role that ends before it is told to takes the process with it, so that whoever watches the process starts it anew.
fn judge(ended: Result<(Role, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Result<()> {
    match ended {
        Ok((role, Ok(()))) => bail!("the {role} ended by itself"),
        Ok((role, Err(error))) => Err(error.context(format!("the {role} failed"))),
        Err(error) => Err(error).context("a role panicked"),
    }
}

/// Waits for SIGTERM or SIGINT.
async fn end_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    info!(signal = name, "asked to end: what is under way is finished first");
}

fn needs_engine(role: Role) -> bool {
    matches!(role, Role::Controller | Role::Builder | Role::Publisher | Role::Logspout)
}
