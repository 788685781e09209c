//! `memory://`: an engine that only pretends, for tests of rules and speed.
//!
//! Containers are up at once, at addresses on the loopback where nobody listens. Names of images say how they behave:
//!
//! | image name contains | behaviour |
//! |---|---|
//! | `missing` | is not found |
//! | `crash` | containers crash at once with status 1; each look at them finds one restart more |
//! | `stuck` | the containers' host is in trouble and cannot start them |
//! | `reluctant` | the same until the tenth look at each |
//! | `fail` | builds, imports and jobs fail |
//!
//! Tags count once the engine's host is part of a cluster: its labels are the hosts'.

mod cluster;
mod containers;
mod hosts;
mod image;
mod output;
mod scheduler;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::Change;
use containers::Containers;
use hosts::Hosts;
use image::Shelf;

/// Changes that a slow watcher may fall behind.
const BACKLOG: usize = 1024;

/// The adapter, as it is seen from one host.
pub(crate) struct Memory {
    host: String,
    shared: Arc<Shared>,
}

/// What engines that can form one cluster have in common.
struct Shared {
    containers: Mutex<Containers>,
    shelf: Mutex<Shelf>,
    hosts: Mutex<Hosts>,
    changes: broadcast::Sender<Change>,
}

impl Memory {
    /// One engine for each of the hosts `names`, none of which is part of a cluster yet.
    pub(crate) fn hosts_named(names: &[&str]) -> Vec<Self> {
        let (changes, _) = broadcast::channel(BACKLOG);
        let (containers, shelf, hosts) = Default::default();
        let shared = Arc::new(Shared { containers, shelf, hosts, changes });
        let engine = |name: &&str| Self { host: (*name).to_owned(), shared: Arc::clone(&shared) };
        names.iter().map(engine).collect()
    }

    fn containers(&self) -> MutexGuard<'_, Containers> {
        self.shared.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shared.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.shared.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an image behaves, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Missing,
    Crashes,
    Stuck,
    Reluctant,
    Fails,
    Well,
}

impl Behaviour {
    fn of(image: &str) -> Self {
        let by_name = [
            ("missing", Self::Missing),
            ("crash", Self::Crashes),
            ("stuck", Self::Stuck),
            ("reluctant", Self::Reluctant),
            ("fail", Self::Fails),
        ];
        by_name.iter().find(|(part, _)| image.contains(part)).map_or(Self::Well, |(_, behaviour)| *behaviour)
    }
}
