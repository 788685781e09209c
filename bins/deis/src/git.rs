//! `git:…`: the git remote that a developer pushes to.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::client::is_localhost;
use crate::options::AppOption;
use crate::session::Session;
use crate::{app_name, output};

/// Where builders listen for pushes, unless `DEIS_SSH_PORT` says otherwise.
const DEFAULT_PORT: u16 = 2222;

/// Commands of the git remote.
#[derive(Subcommand)]
pub(crate) enum Git {
    /// Add a git remote that pushes to an app
    #[command(
        name = "git:remote",
        after_help = "Examples:\n  deis git:remote -a blog\n  deis git:remote -a blog -r production\n\nDEIS_SSH_PORT sets another port than 2222."
    )]
    Remote {
        #[command(flatten)]
        app: AppOption,
        /// What to call the remote
        #[arg(short, long, value_name = "REMOTE", default_value = "deis")]
        remote: String,
    },
}

impl Git {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        let Self::Remote { app, remote } = self;
        let session = Session::open()?;
        let app = session.app(&app)?;
        add_remote(&remote, &session.settings.controller, &app)
    }
}

/// The URL that pushes to `app` go to.
pub(crate) fn remote_url(controller: &str, app: &str) -> Result<String> {
    let host = app_name::host_of_controller(controller);
    // Not every system resolves names below localhost, but all resolve localhost.
    let host = if is_localhost(&host) { "localhost" } else { &host };
    Ok(format!("ssh://git@{host}:{}/{app}.git", port()?))
}

/// Adds the remote called `name`, or says what git has against it.
pub(crate) fn add_remote(name: &str, controller: &str, app: &str) -> Result<()> {
    let url = remote_url(controller, app)?;
    let outcome = git(&["remote", "add", "--", name, &url])?;
    if !outcome.status.success() {
        eprint!("{}", String::from_utf8_lossy(&outcome.stderr));
        advise(name, app);
        bail!("{}", outcome.status.to_string().replace(':', ""));
    }
    output::line(format_args!("Git remote {name} added"))?;
    Ok(())
}

fn advise(name: &str, app: &str) {
    let exists = git(&["remote", "get-url", "--", name]).is_ok_and(|found| found.status.success());
    match exists {
        true => {
            eprintln!("To replace the existing git remote entry, run:");
            eprintln!("  git remote rename {name} {name}.old && deis git:remote -a {app}");
        }
        false => {
            eprintln!("To add the git remote later, run in the app's repository:");
            eprintln!("  deis git:remote -a {app}");
        }
    }
}

/// Removes this directory's first remote that pushes to `app`, if there is one.
pub(crate) fn remove_remote(controller: &str, app: &str) -> Result<()> {
    let remote = app_name::remotes(controller).into_iter().find(|remote| remote.app == app);
    if let Some(remote) = remote
        && git(&["remote", "remove", &remote.name])?.status.success()
    {
        output::line(format_args!("Git remote {} removed", remote.name))?;
    }
    Ok(())
}

fn git(arguments: &[&str]) -> Result<std::process::Output> {
    Command::new("git").args(arguments).output().context("failed to run git; install it, or use --no-remote")
}

fn port() -> Result<u16> {
    match std::env::var("DEIS_SSH_PORT") {
        Ok(port) => port.parse().with_context(|| format!("DEIS_SSH_PORT is a port number, not {port:?}")),
        Err(_) => Ok(DEFAULT_PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_go_to_the_controllers_host_without_its_port() {
        let url = |controller| remote_url(controller, "blog").unwrap();
        assert_eq!(url("http://deis.example.com:8080"), "ssh://git@deis.example.com:2222/blog.git");
        assert_eq!(url("http://deis.localhost:8080"), "ssh://git@localhost:2222/blog.git");
        assert_eq!(url("http://127.0.0.1:8000"), "ssh://git@127.0.0.1:2222/blog.git");
    }
}
