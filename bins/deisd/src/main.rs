//! `deisd`: every role of the platform in one executable.

mod command;
mod database;
mod parts;
mod platform;
mod setting;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use command::{Arguments, Command, ConfigCommand, HookCommand};

fn main() -> ExitCode {
    // With more than one provider compiled in, rustls would refuse to choose at the first handshake.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match dispatch(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("deisd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Hook(HookCommand::PreReceive) => Ok(deis_builder::hook::pre_receive()),
        Command::Config(ConfigCommand::Check) => {
            let resolved = arguments.settings.resolve()?;
            print!("{resolved}");
            resolved.parse()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Database(command) => database::run(command, arguments.settings),
        Command::Run { roles } => {
            let settings = arguments.settings.resolve()?.parse()?;
            platform::run(settings, roles)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
