//! What a role says of itself, on a socket that only the platform's user can open.

mod remote;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::UnixListener;

use deis_api::status::{Problem, RoleStatus};

use crate::{DataDir, Role, Shutdown, VERSION};

/// Where a role notes what is wrong, for `deisctl status`. Cheap to clone.
#[derive(Clone)]
pub struct StatusBoard {
    shared: Arc<Mutex<RoleStatus>>,
    notes: Arc<Mutex<BTreeMap<&'static str, String>>>,
    problems: Arc<Mutex<BTreeMap<&'static str, Problem>>>,
}

impl StatusBoard {
    /// The board of `role`, up since now.
    pub fn new(role: Role) -> Self {
        let up_since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
        let status = RoleStatus {
            role: role.to_string(),
            version: VERSION.to_owned(),
            pid: std::process::id(),
            up_since: i64::try_from(up_since).unwrap_or(i64::MAX),
            address: String::new(),
            notes: Vec::new(),
            problems: Vec::new(),
        };
        Self { shared: Arc::new(Mutex::new(status)), notes: Arc::default(), problems: Arc::default() }
    }

    /// Notes where the role listens.
    pub fn listens_on(&self, address: impl ToString) {
        lock(&self.shared).address = address.to_string();
    }

    /// Notes something about `subject` that an operator wants to know, in place of what was noted of it before.
    pub fn note(&self, subject: &'static str, text: impl ToString) {
        lock(&self.notes).insert(subject, text.to_string());
    }

    /// Takes back what was noted of `subject`.
    pub fn forget(&self, subject: &'static str) {
        lock(&self.notes).remove(subject);
    }

    /// Notes that `subject` (as "database", "logger") is in trouble, until it is noted well.
    pub fn trouble(&self, subject: &'static str, cause: impl ToString, cure: &str) {
        let problem = Problem { cause: cause.to_string(), cure: cure.to_owned() };
        lock(&self.problems).insert(subject, problem);
    }

    /// Notes that `subject` is well.
    pub fn well(&self, subject: &'static str) {
        lock(&self.problems).remove(subject);
    }

    /// What the board says now.
    pub fn snapshot(&self) -> RoleStatus {
        let mut status = lock(&self.shared).clone();
        status.notes = lock(&self.notes).values().cloned().collect();
        status.problems = lock(&self.problems).values().cloned().collect();
        status
    }

    /// Answers on the role's socket until `shutdown`.
    pub async fn serve(self, data: &DataDir, role: Role, shutdown: Shutdown) -> io::Result<()> {
        data.directory("run").map_err(io::Error::other)?;
        let path = data.status_socket(role);
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let own = inode(&path);
        let router = Router::new().route("/status", get(show)).with_state(self);
        let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        // A router that takes over has put its own socket in this place.
        if inode(&path) == own {
            let _ = fs::remove_file(&path);
        }
        served
    }
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|found| found.ino())
}

async fn show(State(board): State<StatusBoard>) -> Json<RoleStatus> {
    Json(board.snapshot())
}

/// The content, also after a panic elsewhere: a note is always whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
