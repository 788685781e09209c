//! A developer's working copy of an app.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::{Output, run};
use crate::seat::Seat;

/// How long a push may take: the first one of an app fetches packages.
const PUSH_TIMEOUT: Duration = Duration::from_secs(300);

/// A git repository with an app in it.
pub struct Repository {
    directory: PathBuf,
    seat: Seat,
    ssh: String,
}

impl Repository {
    /// A repository at `directory` with a copy of `example` committed.
    pub(crate) fn copy(example: &Path, directory: PathBuf, seat: Seat, ssh: String) -> Self {
        run(Command::new("cp").arg("-r").arg(example).arg(&directory), Duration::from_secs(30)).succeeded();
        Self::init(directory, seat, ssh)
    }

    /// A repository at `directory` with `files` committed.
    pub(crate) fn with_files(files: &[(&str, &str)], directory: PathBuf, seat: Seat, ssh: String) -> Self {
        std::fs::create_dir_all(&directory).expect("a temporary directory can be made");
        let repository = Self { directory: directory.clone(), seat: seat.clone(), ssh: ssh.clone() };
        files.iter().for_each(|(path, text)| repository.write(path, text));
        Self::init(directory, seat, ssh)
    }

    fn init(directory: PathBuf, seat: Seat, ssh: String) -> Self {
        let repository = Self { directory, seat, ssh };
        repository.git(&["init", "--quiet", "--initial-branch", "main"]).succeeded();
        repository.commit("first");
        repository
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.directory.join(path);
        let parent = path.parent().expect("a file has a directory");
        std::fs::create_dir_all(parent).expect("a temporary directory can be made");
        std::fs::write(&path, text)
            .unwrap_or_else(|error| panic!("failed to write {}: {error}", path.display()));
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.directory.join(path)).expect("the file is there")
    }

    /// Commits everything, also when nothing changed.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]).succeeded();
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]).succeeded();
    }

    /// Pushes `main` to the platform.
    pub fn push(&self) -> Output {
        run(&mut self.push_command(), PUSH_TIMEOUT)
    }

    /// A push, to be started by the caller.
    pub fn push_command(&self) -> Command {
        self.git_command(&["push", "deis", "main"])
    }

    /// Runs git in it.
    pub fn git(&self, arguments: &[&str]) -> Output {
        run(&mut self.git_command(arguments), PUSH_TIMEOUT)
    }

    fn git_command(&self, arguments: &[&str]) -> Command {
        let variables = [("GIT_SSH_COMMAND", self.ssh.as_ref()), ("GIT_TERMINAL_PROMPT", "0".as_ref())];
        let mut command = self.seat.command("git", &self.directory, &variables);
        command.args(["-c", "user.name=Test", "-c", "user.email=test@example.com"]).args(arguments);
        command
    }
}
