//! A program that this role keeps running.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deis_runtime::{Shutdown, StatusBoard};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tracing::{debug, info, warn};

use crate::error::DatabaseError;

/// The longest line of a program that is taken whole.
const LINE_LIMIT: usize = 8 << 10;
/// How soon a program that ended is started again the first time; doubled each time, up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LAST_WAIT: Duration = Duration::from_secs(5);
/// A program that ran this long was well: its next end is a first one again.
const WELL_AFTER: Duration = Duration::from_secs(30);

/// What is run, and what is said of it.
pub(crate) struct Program {
    /// Its name, for people.
    pub(crate) name: &'static str,
    /// What an operator does when it does not stay up.
    pub(crate) cure: &'static str,
    /// How long it may take to end after SIGTERM.
    pub(crate) grace: Duration,
    /// Parts of lines that it says again and again while nothing happens.
    pub(crate) routine: &'static [&'static str],
}

/// How a program came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was asked to, and did.
    Asked,
    /// It was asked to, and had to be killed.
    Killed,
    /// By itself, so often in short order.
    Itself(u32),
}

/// Counts how often a program ended in short order.
#[derive(Default)]
pub(crate) struct Ends(u32);

impl Ends {
    fn note(&mut self, ran: Duration) -> u32 {
        self.0 = if ran > WELL_AFTER { 1 } else { self.0.saturating_add(1) };
        self.0
    }

    /// Waits before the next start: longer each time.
    pub(crate) async fn pause(&self, shutdown: &Shutdown) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.0.saturating_sub(1).min(10)).min(LAST_WAIT);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Program {
    /// Runs `command` until it ends by itself or `shutdown` has it end in good order.
    pub(crate) async fn run(
        &self,
        command: Command,
        ends: &mut Ends,
        status: &StatusBoard,
        shutdown: &Shutdown,
    ) -> Result<End, DatabaseError> {
        let begun = Instant::now();
        let mut running = Running::start(self, command)?;
        tokio::select! {
            () = shutdown.cancelled() => Ok(running.stop(self.grace).await),
            exit = running.wait() => {
                let count = ends.note(begun.elapsed());
                let said = format!("{} ended ({exit}): {}", self.name, running.last_line());
                warn!(program = self.name, count, "{said}");
                status.trouble(self.name, said, self.cure);
                Ok(End::Itself(count))
            }
        }
    }
}

/// A program at work. Dropped, it is killed.
struct Running {
    name: &'static str,
    child: Child,
    last: Arc<Mutex<String>>,
}

impl Running {
    fn start(program: &Program, mut command: Command) -> Result<Self, DatabaseError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let (name, routine) = (program.name, program.routine);
        let failed =
            |source: std::io::Error| DatabaseError::Run { program: name.into(), reason: source.to_string() };
        let mut child = command.spawn().map_err(failed)?;
        let last = Arc::new(Mutex::new(String::from("it said nothing")));
        if let Some(output) = child.stdout.take() {
            tokio::spawn(relay(name, routine, output, last.clone()));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(relay(name, routine, output, last.clone()));
        }
        info!(program = name, pid = child.id(), "started");
        Ok(Self { name, child, last })
    }

    async fn wait(&mut self) -> String {
        self.child
            .wait()
            .await
            .map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string())
    }

    fn last_line(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks it to end, and kills it if it takes longer than `grace`.
    async fn stop(mut self, grace: Duration) -> End {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself meanwhile.
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(grace, self.child.wait()).await.is_err() {
            warn!(program = self.name, "killed: it did not end in time");
            let _ = self.child.kill().await;
            return End::Killed;
        }
        End::Asked
    }
}

/// Hands a program's lines to the log, and keeps the last.
async fn relay(
    name: &'static str,
    routine: &'static [&'static str],
    output: impl AsyncRead + Unpin,
    last: Arc<Mutex<String>>,
) {
    let mut lines = BufReader::with_capacity(LINE_LIMIT, output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match next_line(&mut lines, &mut line).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if routine.iter().any(|part| text.contains(part)) {
            debug!(program = name, "{text}");
        } else if !text.is_empty() {
            info!(program = name, "{text}");
            *last.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }
}

/// Reads a line, or as much of it as the buffer holds; false at the end.
async fn next_line(
    lines: &mut BufReader<impl AsyncRead + Unpin>,
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    while line.len() < LINE_LIMIT {
        let buffer = lines.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(buffer.len());
        line.extend_from_slice(&buffer[..taken]);
        lines.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
    Ok(true)
}
