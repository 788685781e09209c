//! `deisd database`: what PostgreSQL calls, and going back to an earlier state.

use std::process::ExitCode;

use anyhow::Context;
use deis_postgres::{archive_wal, prepare_restore, restore_base, restore_wal};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::command::{DatabaseCommand, SettingsArguments};

/// Runs `command`; its exit status is PostgreSQL's to understand.
pub(crate) fn run(command: DatabaseCommand, settings: SettingsArguments) -> anyhow::Result<ExitCode> {
    let code = match command {
        DatabaseCommand::Restore { to } => return restore(to.as_deref(), settings),
        DatabaseCommand::ArchiveWal { socket, file } => archive_wal(&socket, &file),
        DatabaseCommand::RestoreWal { required, socket, name, file } => {
            restore_wal(&socket, &name, &file, required)
        }
        DatabaseCommand::RestoreBase { socket, directory } => restore_base(&socket, &directory),
    };
    Ok(ExitCode::from(code))
}

fn restore(to: Option<&str>, settings: SettingsArguments) -> anyhow::Result<ExitCode> {
    let parse = |text: &str| {
        OffsetDateTime::parse(text, &Rfc3339)
            .with_context(|| format!("{text:?} is not a time like 2026-11-22T10:00:00Z"))
    };
    let until = to.map(parse).transpose()?;
    let settings = settings.resolve()?.parse()?;
    match prepare_restore(&settings.database_dir, until)? {
        Some(aside) => {
            println!("What this host had is in {}; start the database on every host.", aside.display())
        }
        None => println!("This host had no database; start it on every host."),
    }
    Ok(ExitCode::SUCCESS)
}
