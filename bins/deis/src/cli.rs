//! From a command line to the command that serves it.

use std::ffi::OsString;
use std::io::Write;

use anyhow::{Context, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use crate::invocation::{self, Invocation};
use crate::{
    apps, auth, builds, canary, certs, config, domains, git, groups, keys, limits, maintenance, output,
    perms, plugin, ps, releases, routing, tags, tls, users, whitelist,
};

/// One command line. Groups are a matter of names: to the parser every command is one of a flat list.
#[derive(Parser)]
#[command(name = "deis", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Apps(apps::Apps),
    #[command(flatten)]
    Auth(auth::Auth),
    #[command(flatten)]
    Builds(builds::Builds),
    #[command(flatten)]
    Canary(canary::Canary),
    #[command(flatten)]
    Certs(certs::Certs),
    #[command(flatten)]
    Config(config::Config),
    #[command(flatten)]
    Domains(domains::Domains),
    #[command(flatten)]
    Git(git::Git),
    #[command(flatten)]
    Keys(keys::Keys),
    #[command(flatten)]
    Limits(limits::Limits),
    #[command(flatten)]
    Maintenance(maintenance::Maintenance),
    #[command(flatten)]
    Perms(perms::Perms),
    #[command(flatten)]
    Ps(ps::Ps),
    #[command(flatten)]
    Releases(releases::Releases),
    #[command(flatten)]
    Routing(routing::Routing),
    #[command(flatten)]
    Tags(tags::Tags),
    #[command(flatten)]
    Tls(tls::Tls),
    #[command(flatten)]
    Users(users::Users),
    #[command(flatten)]
    Whitelist(whitelist::Whitelist),
}

impl Command {
    /// Runs it; the code is 0, or that of a remote command.
    async fn run(self) -> Result<u8> {
        match self {
            Self::Apps(command) => return command.run().await,
            Self::Auth(command) => command.run().await,
            Self::Builds(command) => command.run().await,
            Self::Canary(command) => command.run().await,
            Self::Certs(command) => command.run().await,
            Self::Config(command) => command.run().await,
            Self::Domains(command) => command.run().await,
            Self::Git(command) => command.run(),
            Self::Keys(command) => command.run().await,
            Self::Limits(command) => command.run().await,
            Self::Maintenance(command) => command.run().await,
            Self::Perms(command) => command.run().await,
            Self::Ps(command) => command.run().await,
            Self::Releases(command) => command.run().await,
            Self::Routing(command) => command.run().await,
            Self::Tags(command) => command.run().await,
            Self::Tls(command) => command.run().await,
            Self::Users(command) => command.run().await,
            Self::Whitelist(command) => command.run().await,
        }
        .map(|()| 0)
    }
}

/// Does what `arguments`, the program's name first, ask for. Gives the code to exit with.
pub(crate) async fn run(arguments: impl Iterator<Item = OsString>) -> Result<u8> {
    let text = |argument: OsString| argument.into_string().ok().context("arguments must be valid UTF-8");
    let arguments = arguments.skip(1).map(text).collect::<Result<Vec<_>>>()?;
    match invocation::parse(arguments) {
        Invocation::Nothing => return Ok(refuse(&format!("{}\n", groups::USAGE))),
        Invocation::Help => output::text(groups::main_help())?,
        Invocation::GroupHelp(group) => output::text(group_help(group))?,
        Invocation::Shortcuts => output::text(groups::shortcuts_help())?,
        Invocation::Version => output::line(deis_api::PLATFORM_VERSION)?,
        Invocation::Command(words) => return run_command(words).await,
    }
    Ok(0)
}

async fn run_command(words: Vec<String>) -> Result<u8> {
    let program = std::iter::once("deis".to_owned());
    match Cli::try_parse_from(program.chain(words.iter().cloned())) {
        Ok(cli) => cli.command.run().await,
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp => output::text(error.render()).map(|()| 0).map_err(Into::into),
            ErrorKind::InvalidSubcommand => plugin_or_refuse(&words, &error),
            _ => Ok(refuse(&error.render().to_string())),
        },
    }
}

/// Commands that we do not know may be `deis-<group>` programs of the user.
fn plugin_or_refuse(words: &[String], error: &clap::Error) -> Result<u8> {
    let group = words[0].split(':').next().unwrap_or_default();
    if groups::find(group).is_none()
        && let Some(code) = plugin::run(words)?
    {
        return Ok(code);
    }
    let suggestion = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) if !names.is_empty() => {
            // clap lists the nearest name last.
            let nearest: Vec<&str> = names.iter().rev().take(2).map(String::as_str).collect();
            format!("Did you mean {}?\n", nearest.join(" or "))
        }
        _ => String::new(),
    };
    Ok(refuse(&format!("Found no matching command, try 'deis help'\n{suggestion}{}\n", groups::USAGE)))
}

/// Says on standard error why nothing was done.
fn refuse(text: &str) -> u8 {
    let _ = std::io::stderr().write_all(text.as_bytes());
    1
}

fn group_help(name: &str) -> String {
    let about = groups::find(name).map_or("", |group| group.about);
    let mut text = format!("{name}: {about}\n\nCommands:\n");
    let prefix = format!("{name}:");
    for command in Cli::command().get_subcommands().filter(|command| command.get_name().starts_with(&prefix))
    {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("  {:<20}{about}\n", command.get_name()));
    }
    text.push_str("\nUse 'deis help <command>' to learn more.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_shortcut_and_listing_group_leads_to_a_command() {
        let cli = Cli::command();
        let names: Vec<_> = cli.get_subcommands().map(clap::Command::get_name).collect();
        for (short, long) in groups::SHORTCUTS {
            assert!(names.contains(&long), "{short}");
        }
        for group in groups::GROUPS.iter().filter(|group| group.lists) {
            assert!(names.contains(&format!("{}:list", group.name).as_str()), "{}", group.name);
        }
    }

    #[test]
    fn options_come_in_every_original_form() {
        for line in ["--app=blog", "--app blog", "-a blog", "-ablog"] {
            let words = ["deis", "apps:info"].into_iter().chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }
}
