//! `memory://`: an engine that only pretends, for tests of rules and speed.
//!
//! Containers are up at once, at addresses on the loopback where nobody listens. Names of images say how they behave:
//!
//! | image name contains | behaviour |
//! |---|---|
//! | `missing` | is not found |
//! | `crash` | containers crash at once with status 1; each look at them finds one restart more |
//! | `fail` | builds, imports and jobs fail |

mod containers;
mod image;
mod output;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::Change;
use containers::Containers;
use image::Shelf;

/// Changes that a slow watcher may fall behind.
const BACKLOG: usize = 1024;

/// The adapter.
pub(crate) struct Memory {
    containers: Mutex<Containers>,
    shelf: Mutex<Shelf>,
    changes: broadcast::Sender<Change>,
}

impl Default for Memory {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(BACKLOG);
        Self { containers: Mutex::default(), shelf: Mutex::default(), changes }
    }
}

impl Memory {
    fn containers(&self) -> MutexGuard<'_, Containers> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an image behaves, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Missing,
    Crashes,
    Fails,
    Well,
}

impl Behaviour {
    fn of(image: &str) -> Self {
        let by_name = [("missing", Self::Missing), ("crash", Self::Crashes), ("fail", Self::Fails)];
        by_name.iter().find(|(part, _)| image.contains(part)).map_or(Self::Well, |(_, behaviour)| *behaviour)
    }
}
