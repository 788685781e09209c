//! The platform's own logs: text for people on standard error, JSON lines in the journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The journal is turned over at this size; one older file is kept.
const JOURNAL_BYTES: u64 = 16 * 1024 * 1024;

/// What is logged where nothing else is asked for with `DEIS_LOG`.
const DEFAULT_FILTER: &str = "info,sqlx=warn,russh=warn,hyper=warn,bollard=warn";

/// Starts logging: text on standard error, JSON lines in `<journal>/<process>.jsonl`.
///
/// `DEIS_LOG` holds a filter as of `tracing_subscriber::EnvFilter`.
pub fn start(journal: &Path, process: &str) -> io::Result<()> {
    let file = Journal::open(journal.join(format!("{process}.jsonl")))?;
    let filter = || EnvFilter::try_from_env("DEIS_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let text =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_filter(filter());
    let lines = tracing_subscriber::fmt::layer().json().with_writer(Mutex::new(file)).with_filter(filter());
    tracing_subscriber::registry().with(text).with(lines).try_init().map_err(io::Error::other)
}

/// A file that is turned over when it grows too large.
struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Journal {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        std::fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
        *self = Self::open(self.path.clone())?;
        Ok(())
    }
}

impl Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size >= JOURNAL_BYTES {
            self.turn_over()?;
        }
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
