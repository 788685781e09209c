//! `deis`: the developers' client. Names, flags, output and request lines are those of the original's client.

mod api_error;
mod app_name;
mod apps;
mod auth;
mod builds;
mod canary;
mod certs;
mod cli;
mod client;
mod config;
mod domains;
mod environment_file;
mod git;
mod groups;
mod input;
mod invocation;
mod keys;
mod limits;
mod logs;
mod maintenance;
mod options;
mod output;
mod perms;
mod plugin;
mod progress;
mod prompt;
mod ps;
mod releases;
mod routing;
mod session;
mod settings;
mod tags;
mod tls;
mod users;
mod whitelist;

use std::io;
use std::process::ExitCode;

/// What a shell reports for a command that ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // Before the first handshake: rustls chooses no provider by itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("failed to start")),
    };
    let code = runtime.block_on(work());
    // A prompt that nobody answered may still be reading: it is not waited for.
    runtime.shutdown_background();
    code
}

/// Runs the command; Ctrl-C drops it, and with it whatever it changed on the terminal.
async fn work() -> ExitCode {
    tokio::select! {
        result = cli::run(std::env::args_os()) => match result {
            Ok(code) => ExitCode::from(code),
            Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
        _ = tokio::signal::ctrl_c() => {
            let _ = output::line("");
            ExitCode::from(INTERRUPTED)
        }
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("Error: {}", format!("{error:#}").trim_end());
    ExitCode::FAILURE
}

/// Whether our reader has seen enough, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
