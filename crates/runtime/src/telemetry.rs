//! The platform's own logs: text for people on standard error, JSON lines in the journal.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::Journal;

/// The journal is turned over at this size; one older file is kept.
const JOURNAL_BYTES: u64 = 16 * 1024 * 1024;

/// What is logged where nothing else is asked for with `DEIS_LOG`.
const DEFAULT_FILTER: &str = "info,sqlx=warn,russh=warn,hyper=warn,bollard=warn";

/// Starts logging: text on standard error, JSON lines in `<journal>/<process>.jsonl`.
///
/// `DEIS_LOG` holds a filter as of `tracing_subscriber::EnvFilter`.
pub fn start(journal: &Path, process: &str) -> io::Result<()> {
    let file = Journal::open(journal.join(format!("{process}.jsonl")), JOURNAL_BYTES)?;
    let filter = || EnvFilter::try_from_env("DEIS_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let text =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_filter(filter());
    let lines = tracing_subscriber::fmt::layer().json().with_writer(Mutex::new(file)).with_filter(filter());
    tracing_subscriber::registry().with(text).with(lines).try_init().map_err(io::Error::other)
}
