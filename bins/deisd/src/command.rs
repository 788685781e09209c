//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use deis_runtime::Role;

use crate::setting::{Resolved, resolve};

/// Runs the roles of a Deis platform.
#[derive(Parser)]
#[command(name = "deisd", version)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Where settings come from.
    #[command(flatten)]
    pub(crate) settings: SettingsArguments,
}

/// What `deisd` can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run roles until told to end: all of them in one process, or those that are named
    Run {
        /// controller, builder, registry, logger, router, publisher, logspout, database
        roles: Vec<Role>,
    },
    /// Look at settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Care for the database that the platform runs, on one of its hosts
    #[command(subcommand)]
    Database(DatabaseCommand),
    /// Called by git in the builder's repositories
    #[command(subcommand, hide = true)]
    Hook(HookCommand),
}

/// What can be done with settings.
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting in force and where its value comes from, and name what cannot be
    Check,
}

/// What can be done with the database of this host, and what PostgreSQL calls.
#[derive(Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Go back to the state that the store has, once the role starts again; what is here is put aside.
    /// Run it on every host of the database while the role is stopped on all
    Restore {
        /// A time, as in 2026-11-22T10:00:00Z [default: the newest state]
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },
    /// Called by PostgreSQL: store a file of the write-ahead log
    #[command(hide = true)]
    ArchiveWal {
        #[arg(long)]
        socket: PathBuf,
        file: PathBuf,
    },
    /// Called by PostgreSQL: fetch a file of the write-ahead log
    #[command(hide = true)]
    RestoreWal {
        #[arg(long)]
        required: bool,
        #[arg(long)]
        socket: PathBuf,
        name: String,
        file: PathBuf,
    },
    /// Called by Patroni: fetch the newest base backup
    #[command(hide = true)]
    RestoreBase {
        #[arg(long)]
        socket: PathBuf,
        directory: PathBuf,
    },
}

/// Hooks of the builder's repositories.
#[derive(Subcommand)]
pub(crate) enum HookCommand {
    /// Builds and deploys before refs change
    PreReceive,
}

/// Flags that set settings; stronger than `DEIS_*` variables, which are stronger than the file.
#[derive(Args)]
pub(crate) struct SettingsArguments {
    /// Settings file in TOML [default: deis.toml in the data directory, if it exists]
    #[arg(long, global = true, value_name = "FILE", env = "DEIS_CONFIG")]
    config: Option<PathBuf>,
    /// Where this machine's data is kept
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// A setting, as in --set domain=example.com; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl SettingsArguments {
    /// Every setting with its source.
    pub(crate) fn resolve(self) -> anyhow::Result<Resolved> {
        let directory = self.data_dir.map(|directory| format!("data_dir={directory}"));
        let flags: Vec<String> = directory.into_iter().chain(self.set).collect();
        resolve(self.config.as_deref(), &flags, |variable| std::env::var(variable).ok())
    }
}
