//! The last route table on disk, so that a router can start while no controller answers.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::sync::watch;

use deis_runtime::file::write_atomically;
use deis_runtime::{Shutdown, StatusBoard};

use crate::error::RouterError;
use crate::routes::Routes;

/// Changes within this time after one was written are written together.
const COALESCE: Duration = Duration::from_millis(500);

/// Keeps routes in one file.
pub(crate) struct Keeper {
    path: PathBuf,
    status: StatusBoard,
}

impl Keeper {
    /// Keeps them in `directory`, which is made if missing.
    pub(crate) fn open(directory: &Path, status: StatusBoard) -> Result<Self, RouterError> {
        fs::create_dir_all(directory)
            .map_err(|source| RouterError::StateDir { path: directory.to_owned(), source })?;
        Ok(Self { path: directory.join("table.json"), status })
    }

    /// The routes kept last; none if there are none or they cannot be read, which is logged: a router without
    /// them still works once a controller answers.
    pub(crate) fn load(&self) -> Routes {
        match read(&self.path) {
            Ok(routes) => routes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Routes::default(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "failed to read the last route table");
                Routes::default()
            }
        }
    }

    /// Writes what `routes` brings until `shutdown`, then once more if need be.
    pub(crate) async fn run(self, mut routes: watch::Receiver<Routes>, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = routes.changed() => if changed.is_err() { break },
            }
            let newest = routes.borrow_and_update().clone();
            self.save(newest).await;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(COALESCE) => {}
            }
        }
        // Whoever sends them may have ended first, and what came last was not seen.
        if routes.has_changed().unwrap_or(true) {
            let newest = routes.borrow_and_update().clone();
            self.save(newest).await;
        }
    }

    async fn save(&self, routes: Routes) {
        let path = self.path.clone();
        let saved = tokio::task::spawn_blocking(move || write(&path, &routes)).await;
        match saved.map_err(io::Error::other).and_then(|written| written) {
            Ok(()) => self.status.well("route table on disk"),
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "failed to keep the route table");
                let cause = format!("failed to keep the route table in {}: {error}", self.path.display());
                self.status.trouble(
                    "route table on disk",
                    cause,
                    "make room on that disk and the file writable",
                );
            }
        }
    }
}

fn read(path: &Path) -> io::Result<Routes> {
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
}

fn write(path: &Path, routes: &Routes) -> io::Result<()> {
    write_atomically(path, &serde_json::to_vec(routes)?, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deis_runtime::Role;

    fn keeper(directory: &Path) -> Keeper {
        Keeper::open(directory, StatusBoard::new(Role::Router)).unwrap()
    }

    #[tokio::test]
    async fn what_came_last_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let sender = watch::Sender::new(Routes::default());
        let shutdown = Shutdown::new();
        let running = tokio::spawn(keeper(directory.path()).run(sender.subscribe(), shutdown.clone()));
        let routes = Routes { epoch: "e".to_owned(), generation: 7, ..Routes::default() };
        sender.send_replace(routes.clone());
        shutdown.cancel();
        running.await.unwrap();
        assert_eq!(keeper(directory.path()).load(), routes);
    }

    #[test]
    fn a_damaged_file_is_no_reason_not_to_start() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("table.json"), "{\"epoch\":").unwrap();
        assert_eq!(keeper(directory.path()).load(), Routes::default());
    }
}
