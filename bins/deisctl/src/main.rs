//! `deisctl`: the operator's command line. It works on the machine that it runs on: over the sockets of the roles in the
//! data directory, the controller's internal calls, and the container engine.

mod admin;
mod arguments;
mod control;
mod fleet;
mod image;
mod journal;
mod listing;
mod membership;
mod operate;
mod operator;
mod plane;
mod platform;
mod rollout;
mod settings;
mod sighting;
mod stack;
mod status;
mod table;
mod unit;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use arguments::{Arguments, Command};
use platform::Platform;

/// What every error ends with: the original's code.
const FAILED: u8 = 1;

#[tokio::main]
async fn main() -> ExitCode {
    // Another provider in the tree would make rustls panic at the first handshake instead of choosing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    match run(arguments).await {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // On standard output, like the original: scripts read it there.
            let _ = writeln!(io::stdout(), "Error: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let platform = Platform::new(arguments.data_dir, arguments.scheduler);
    let mut out = io::stdout();
    match arguments.command {
        Command::Stack(command) => stack::run(&platform, command, &mut out).await?,
        Command::Admin(command) => admin::run(&platform, command, &mut out).await?,
        Command::Config(command) => return settings::run(&platform, command, &mut out).await,
        Command::Status(command) => return status::run(&platform, command, &mut out).await,
        Command::Journal(command) => journal::run(&platform, &command, &mut out).await?,
        Command::Image(command) => image::run(&platform, command, &mut out).await?,
        Command::Cluster(command) => return membership::run(&platform, command, &mut out).await,
        Command::Units(command) => return operate::run(&platform, command, &mut out).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Where large files are put for a moment: `/tmp` is often kept in memory, too small for a root file system.
fn temporary() -> PathBuf {
    std::env::var_os("TMPDIR")
        .filter(|path| !path.is_empty())
        .map_or_else(|| "/var/tmp".into(), PathBuf::from)
}

/// Says what clap says, with the original's words and exit codes where it had some.
fn explain(error: &clap::Error) -> ExitCode {
    let shown = match error.kind() {
        ErrorKind::DisplayHelp => error.print().map(|()| ExitCode::SUCCESS),
        ErrorKind::DisplayVersion => {
            writeln!(io::stdout(), "{}", deis_api::PLATFORM_VERSION).map(|()| ExitCode::SUCCESS)
        }
        ErrorKind::InvalidSubcommand => {
            writeln!(io::stdout(), "Found no matching command, try \"deisctl help\"")
                .map(|()| ExitCode::from(FAILED))
        }
        _ => error.print().map(|()| ExitCode::from(FAILED)),
    };
    shown.unwrap_or(ExitCode::from(FAILED))
}

/// Whether the reader of our output went away, as `head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
