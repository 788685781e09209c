//! What a job reads.
//!
//! A process that Docker Swarm runs can be attached to, but never told that its input has ended. So all of the input is
//! there before the job starts: in secrets, files that its host keeps in memory, from which a shell hands it on.

use bollard::models::TaskSpecContainerSpecSecrets;
use bytes::Bytes;

use deis_model::{Command, Job};

use super::Swarm;
use super::failure::refused;
use super::secret::secret_name;
use crate::SchedulerError;
use crate::cluster::DOCUMENT_LIMIT;

/// How the names of the files begin in the job's container; their numbers follow.
const FILES: &str = "/run/deis/input";

/// Readable by whomever the image runs as.
const EVERYBODY: u32 = 0o444;

impl Swarm {
    /// Keeps `input`: answers the job that reads it, and how its service refers to what was kept.
    ///
    /// What was kept for a job that is never made is a stray secret, and goes as one.
    pub(super) async fn with_input(
        &self,
        job: &Job,
        input: Option<Bytes>,
    ) -> Result<(Job, Vec<TaskSpecContainerSpecSecrets>), SchedulerError> {
        let Some(input) = input else { return Ok((job.clone(), Vec::new())) };
        let name = job.name.to_string();
        let parts: Vec<_> = input.chunks(DOCUMENT_LIMIT).collect();
        let paths: Vec<_> = (0..parts.len()).map(|number| format!("{FILES}.{number}")).collect();
        let command = reading(&job.command, &paths)
            .ok_or_else(|| refused("run", &name, "only a job with a command of its own can have input"))?;
        let mut references = Vec::with_capacity(parts.len());
        for (path, part) in paths.iter().zip(parts) {
            // Named for this job, or one that ends would take it from another that reads the same.
            let about = [self.platform(), &name, path].map(str::as_bytes);
            let secret = secret_name(&[&about[..], &[part]].concat());
            references.push(self.keep(&secret, path, part, EVERYBODY).await?);
        }
        Ok((Job { command, ..job.clone() }, references))
    }
}

/// `command` with what is in the files at `paths` as its input; none if its words are the image's, which only the engine
/// knows.
fn reading(command: &Command, paths: &[String]) -> Option<Command> {
    let Command::Words(words) = command else { return None };
    let script = match paths {
        [] => "exec \"$@\" </dev/null".to_owned(),
        [path] => format!("exec \"$@\" <{path}"),
        paths => format!("cat {} | \"$@\"", paths.join(" ")),
    };
    let shell = ["/bin/sh", "-c", &script, "sh"].map(str::to_owned);
    Some(Command::Words(shell.into_iter().chain(words.iter().cloned()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&str], script: &str) {
        let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
        let words = |words: &[&str]| Command::Words(words.iter().map(|word| (*word).to_owned()).collect());
        let expected = words(&["/bin/sh", "-c", script, "sh", "wc", "-l; $x"]);
        assert_eq!(reading(&words(&["wc", "-l; $x"]), &paths), Some(expected), "{paths:?}");
        assert_eq!(reading(&Command::Image, &paths), None);
    }

    #[test]
    fn a_shell_hands_the_files_to_words_that_it_does_not_read() {
        check(&[], "exec \"$@\" </dev/null");
        check(&["/a"], "exec \"$@\" </a");
        check(&["/a", "/b"], "cat /a /b | \"$@\"");
    }
}
