//! What commands there are, as a user looks for them: groups and shortcuts.

/// A group of commands, `<name>:<command>`.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether the bare name means `<name>:list`; otherwise it shows the group's help.
    pub(crate) lists: bool,
}

const fn group(name: &'static str, about: &'static str, lists: bool) -> Group {
    Group { name, about, lists }
}

/// Every group, in the order in which help shows them.
pub(crate) const GROUPS: [Group; 19] = [
    group("auth", "your account: register, log in, log out", false),
    group("apps", "apps: create, look at, run commands in, destroy", true),
    group("ps", "processes of an app: list, scale, restart", true),
    group("config", "environment variables of an app", true),
    group("domains", "host names that lead to an app", true),
    group("routing", "how routers treat an app's visitors", true),
    group("maintenance", "a page in place of an app for a while", false),
    group("whitelist", "addresses that alone may reach an app", true),
    group("tls", "whether visitors must come by HTTPS", false),
    group("builds", "builds of an app; make one from an image", true),
    group("limits", "memory and CPU that processes may use", true),
    group("tags", "labels of the hosts that an app may run on", true),
    group("releases", "releases of an app; go back to one", true),
    group("canary", "new releases on a part of the requests first", false),
    group("certs", "certificates for domains", true),
    group("keys", "your SSH keys for git push", true),
    group("perms", "who else may work on an app; administrators", true),
    group("git", "the git remote that you push to", false),
    group("users", "users of the platform", true),
];

/// Short names, and what they stand for.
pub(crate) const SHORTCUTS: [(&str, &str); 18] = [
    ("create", "apps:create"),
    ("destroy", "apps:destroy"),
    ("info", "apps:info"),
    ("login", "auth:login"),
    ("logout", "auth:logout"),
    ("logs", "apps:logs"),
    ("open", "apps:open"),
    ("passwd", "auth:passwd"),
    ("pull", "builds:create"),
    ("register", "auth:register"),
    ("rollback", "releases:rollback"),
    ("run", "apps:run"),
    ("scale", "ps:scale"),
    ("sharing", "perms:list"),
    ("sharing:list", "perms:list"),
    ("sharing:add", "perms:create"),
    ("sharing:remove", "perms:delete"),
    ("whoami", "auth:whoami"),
];

/// How commands are called, shown after anything that was no command.
pub(crate) const USAGE: &str = "Usage: deis <command> [<args>...]";

/// The group called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

/// What `shortcut` stands for.
pub(crate) fn expand(shortcut: &str) -> Option<&'static str> {
    SHORTCUTS.iter().find(|(short, _)| *short == shortcut).map(|(_, long)| *long)
}

/// The answer to `deis help`.
pub(crate) fn main_help() -> String {
    let mut text = format!("Runs apps on a Deis platform.\n\n{USAGE}\n\nStart with:\n");
    for (command, about) in [
        ("register", "make an account at a platform"),
        ("login", "log in to a platform"),
        ("create", "make an app, and a git remote to push it to"),
        ("logs", "what an app prints; -f to follow"),
        ("help", "more about a command: deis help create"),
    ] {
        text.push_str(&format!("  {command:<13}{about}\n"));
    }
    text.push_str("\nGroups of commands, see 'deis help <group>':\n");
    for group in &GROUPS {
        text.push_str(&format!("  {:<13}{}\n", group.name, group.about));
    }
    text.push_str(
        "\nOthers:\n  shortcuts    short names for frequent commands\n  version      the version of this client\n",
    );
    text.push_str("\nWith git: 'git push deis master' builds and deploys an app.\n");
    text
}

/// The answer to `deis shortcuts`.
pub(crate) fn shortcuts_help() -> String {
    let line = |(short, long): &(&str, &str)| format!("{short:<15} -> {long}\n");
    format!("Shortcuts:\n\n{}", SHORTCUTS.iter().map(line).collect::<String>())
}
