//! Programs of the user that add commands: `deis foo:bar x` runs `deis-foo bar x`.

use std::io;
use std::process::Command;

use anyhow::{Context, Result};

/// Runs the plugin for `words`, the command first, and gives its exit code; none if there is no such plugin.
pub(crate) fn run(words: &[String]) -> Result<Option<u8>> {
    let Some((program, arguments)) = split(words) else { return Ok(None) };
    match Command::new(&program).args(arguments).status() {
        Ok(status) => Ok(Some(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to run {program}")),
    }
}

/// The program and its arguments; none if the command could be no file's name.
fn split(words: &[String]) -> Option<(String, Vec<&str>)> {
    let (command, rest) = words.split_first()?;
    let (name, part) = match command.split_once(':') {
        Some((name, part)) => (name, Some(part)),
        None => (command.as_str(), None),
    };
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let arguments = part.into_iter().chain(rest.iter().map(String::as_str)).collect();
    plain.then(|| (format!("deis-{name}"), arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let found = split(&words).map(|(program, arguments)| {
            [program.as_str()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(found.as_deref(), expected, "{line}");
    }

    #[test]
    fn the_part_after_the_colon_comes_first() {
        check("foo", Some("deis-foo"));
        check("foo x", Some("deis-foo x"));
        check("foo:bar x", Some("deis-foo bar x"));
        check("../foo x", None);
        check(":bar", None);
    }
}
