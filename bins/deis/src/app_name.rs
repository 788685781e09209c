//! Which app a directory belongs to: by its git remote, else by its name.

use std::process::Command;

use anyhow::{Context, Result};
use url::Url;

use crate::client::is_localhost;

/// A git remote of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Its name for git.
    pub(crate) name: String,
    /// The app it pushes to.
    pub(crate) app: String,
}

/// The app of this directory's remote at `controller`; without one, the lower-cased name of the directory.
pub(crate) fn detect(controller: &str) -> Result<String> {
    if let Some(remote) = remotes(controller).into_iter().next() {
        return Ok(remote.app);
    }
    let directory = std::env::current_dir().context("failed to find out the current directory")?;
    let name = directory.file_name().context("name the app with --app: this directory has no name")?;
    Ok(name.to_string_lossy().to_lowercase())
}

/// This directory's remotes at `controller`; none outside of a repository or without git.
pub(crate) fn remotes(controller: &str) -> Vec<Remote> {
    let Ok(output) = Command::new("git").args(["remote", "-v"]).output() else { return Vec::new() };
    let host = host_of_controller(controller);
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| parse(line, &host)).collect()
}

/// The host of the controller's URL.
pub(crate) fn host_of_controller(controller: &str) -> String {
    let host = Url::parse(controller).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| controller.to_owned())
}

/// The remote in a line of `git remote -v`, `deis\tssh://git@deis.example.com:2222/blog.git (push)`, if it is at `host`.
fn parse(line: &str, host: &str) -> Option<Remote> {
    let (name, rest) = line.split_once('\t')?;
    let url = rest.split(' ').next()?;
    if !same_host(&host_of_remote(url)?, host) {
        return None;
    }
    let last = url.rsplit(['/', ':']).next()?;
    let app = last.split('.').next().filter(|app| !app.is_empty())?;
    Some(Remote { name: name.to_owned(), app: app.to_owned() })
}

/// Remotes of a controller below `.localhost` are at `localhost`, which every ssh resolves.
fn same_host(remote: &str, controller: &str) -> bool {
    remote == controller || (remote == "localhost" && is_localhost(controller))
}

/// The host in `ssh://git@host:2222/app.git` or `git@host:app.git`.
fn host_of_remote(url: &str) -> Option<String> {
    if url.contains("://") {
        return Url::parse(url).ok()?.host_str().map(str::to_owned);
    }
    let (place, _) = url.split_once(':')?;
    Some(place.rsplit('@').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, controller: &str, expected: Option<(&str, &str)>) {
        let found = parse(line, &host_of_controller(controller));
        let found = found.as_ref().map(|remote| (remote.name.as_str(), remote.app.as_str()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn a_remote_at_the_controller_names_the_app() {
        let controller = "http://deis.example.com:8080";
        check("deis\tssh://git@deis.example.com:2222/blog.git (fetch)", controller, Some(("deis", "blog")));
        check("prod\tgit@deis.example.com:blog.git (push)", controller, Some(("prod", "blog")));
        check("origin\thttps://git.example.com/team/blog.git (push)", controller, None);
        check("other\tssh://git@xdeis.example.com:2222/blog.git (push)", controller, None);
        check("local\t/srv/deis.example.com/blog.git (push)", controller, None);
        check("nonsense", controller, None);
    }

    #[test]
    fn a_controller_on_this_machine_has_remotes_at_localhost() {
        let controller = "http://deis.localhost:8080";
        check("deis\tssh://git@localhost:2222/blog.git (push)", controller, Some(("deis", "blog")));
        check("deis\tssh://git@deis.localhost:2222/blog.git (push)", controller, Some(("deis", "blog")));
        check("deis\tssh://git@localhost:2222/blog.git (push)", "http://deis.example.com", None);
    }
}
