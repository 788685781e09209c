//! What a container of a process type executes.
//!
//! Source: the original's commands per kind of build, with the entrypoint written out.

use crate::{Build, Command, ProcessType};

/// Starts processes in images made by buildpacks.
const RUNNER: &str = "/runner/init";

/// What containers of `process` execute.
///
/// | build | process type | words |
/// |---|---|---|
/// | buildpack | any | `/runner/init start <type>` |
/// | Dockerfile, image | in the Procfile | `bash -c <command>` |
/// | Dockerfile, image | `cmd` | the image's own |
/// | Dockerfile, image | other | `start <type>` |
pub fn process_command(build: &Build, process: &ProcessType) -> Command {
    if build.is_buildpack() {
        return words(&[RUNNER, "start", process.as_str()]);
    }
    match build.procfile.0.get(process) {
        Some(line) => words(&["bash", "-c", line]),
        None if *process == ProcessType::cmd() => Command::Image,
        None => words(&["start", process.as_str()]),
    }
}

/// What a one-off container executes: `line` is one shell line, given to the shell as a single word.
pub fn run_command(build: &Build, line: &str) -> Command {
    match build.is_buildpack() {
        true => words(&[RUNNER, line]),
        false => words(&["/bin/bash", "-c", line]),
    }
}

fn words(words: &[&str]) -> Command {
    Command::Words(words.iter().map(|word| (*word).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formation::tests::build;

    fn check(kind: &str, types: &str, process: &str, expected: &[&str]) {
        let command = process_command(&build(kind, types), &ProcessType::parse(process).unwrap());
        let expected = if expected.is_empty() { Command::Image } else { words(expected) };
        assert_eq!(command, expected, "{process} of {kind} with {types:?}");
    }

    #[test]
    fn the_command_depends_on_the_kind_of_build() {
        check("buildpack", "web", "web", &["/runner/init", "start", "web"]);
        check("buildpack", "web", "worker", &["/runner/init", "start", "worker"]);
        check("dockerfile", "web", "web", &["bash", "-c", "run web"]);
        check("image", "web", "web", &["bash", "-c", "run web"]);
        check("image", "", "cmd", &[]);
        check("dockerfile", "web", "cmd", &[]);
        check("image", "cmd", "cmd", &["bash", "-c", "run cmd"]);
        check("dockerfile", "", "web", &["start", "web"]);
    }

    #[test]
    fn a_one_off_command_stays_one_word() {
        let line = "echo 'a b' | tr a b; rm -rf $HOME";
        assert_eq!(run_command(&build("buildpack", ""), line), words(&["/runner/init", line]));
        assert_eq!(run_command(&build("image", ""), line), words(&["/bin/bash", "-c", line]));
    }
}
