//! What a command line asks for, before its options are looked at.

use crate::groups;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Nothing at all.
    Nothing,
    /// `deis help`.
    Help,
    /// The help of a group.
    GroupHelp(&'static str),
    /// `deis shortcuts`.
    Shortcuts,
    /// The version of the client.
    Version,
    /// A command by its full name, with its arguments.
    Command(Vec<String>),
}

/// What `arguments`, without the program's name, ask for.
pub(crate) fn parse(arguments: Vec<String>) -> Invocation {
    let mut rest = arguments.into_iter();
    let Some(first) = rest.next() else { return Invocation::Nothing };
    let rest: Vec<String> = rest.collect();
    match first.as_str() {
        "help" => help(rest),
        "-h" | "--help" => Invocation::Help,
        "version" | "-v" | "--version" => Invocation::Version,
        "shortcuts" => Invocation::Shortcuts,
        name => named(name, rest),
    }
}

/// `deis help X` is `deis X --help`.
fn help(mut topic: Vec<String>) -> Invocation {
    match topic.is_empty() {
        true => Invocation::Help,
        false => {
            topic.truncate(1);
            topic.push("--help".to_owned());
            parse(topic)
        }
    }
}

fn named(name: &str, rest: Vec<String>) -> Invocation {
    let asks_help = rest.first().is_some_and(|first| first == "--help" || first == "-h");
    match groups::find(name) {
        Some(group) if asks_help || !group.lists => Invocation::GroupHelp(group.name),
        Some(group) => command(format!("{}:list", group.name), rest),
        None => command(groups::expand(name).unwrap_or(name).to_owned(), rest),
    }
}

fn command(name: String, rest: Vec<String>) -> Invocation {
    Invocation::Command([name].into_iter().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Invocation) {
        assert_eq!(parse(line.split_whitespace().map(str::to_owned).collect()), expected, "{line}");
    }

    fn command(line: &str) -> Invocation {
        Invocation::Command(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn shortcuts_and_bare_groups_stand_for_commands() {
        check("create blog", command("apps:create blog"));
        check("sharing:add ann", command("perms:create ann"));
        check("ps -a blog", command("ps:list -a blog"));
        check("ps:scale web=2", command("ps:scale web=2"));
        check("restart", command("restart"));
    }

    #[test]
    fn help_comes_in_all_its_forms() {
        check("", Invocation::Nothing);
        for line in ["help", "-h", "--help"] {
            check(line, Invocation::Help);
        }
        check("help create", command("apps:create --help"));
        check("help ps:scale", command("ps:scale --help"));
        for line in ["help ps", "ps --help", "ps -h"] {
            check(line, Invocation::GroupHelp("ps"));
        }
        check("auth", Invocation::GroupHelp("auth"));
        check("git", Invocation::GroupHelp("git"));
    }

    #[test]
    fn the_version_has_three_names() {
        for line in ["version", "-v", "--version"] {
            check(line, Invocation::Version);
        }
    }
}
