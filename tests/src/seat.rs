//! Where developers sit: at this machine, or at a host of a lab.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use crate::lab_host::Host;

/// Where commands of developers run.
#[derive(Clone)]
pub(crate) enum Seat {
    /// On this machine.
    Here,
    /// On a host of a lab, which sees the same temporary files.
    At(Host),
}

impl Seat {
    /// `program`, to be run in `directory` with these variables and without those of the caller that it would read.
    pub(crate) fn command(
        &self,
        program: impl AsRef<OsStr>,
        directory: &Path,
        variables: &[(&str, &OsStr)],
    ) -> Command {
        let mut command = match self {
            Self::Here => Command::new("env"),
            Self::At(host) => host.command(["env"]),
        };
        command.current_dir(directory).arg("--unset=DEIS_PROFILE");
        command.args(variables.iter().map(|(name, value)| {
            let mut word = OsString::from(format!("{name}="));
            word.push(value);
            word
        }));
        command.arg(program);
        command
    }
}
