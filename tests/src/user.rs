//! A developer: an account, a key, and the `deis` client with a home of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::{Output, run, run_reading};
use crate::program::binary;
use crate::repository::Repository;
use crate::seat::Seat;

/// How long one command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(180);
/// Nobody is asked anything, and a host that lost its power is not waited for.
const SSH_OPTIONS: [&str; 7] = [
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "ConnectTimeout=10",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
];

/// A developer with a home directory.
pub struct User {
    /// The login name.
    pub name: String,
    home: PathBuf,
    seat: Seat,
    git_port: u16,
}

impl User {
    pub(crate) fn new(name: &str, home: PathBuf, seat: Seat, git_port: u16) -> Self {
        let ssh = home.join(".ssh");
        std::fs::create_dir_all(&ssh).expect("a temporary directory can be made");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(ssh.join("id_ed25519"));
        run(&mut keygen, Duration::from_secs(30)).succeeded();
        Self { name: name.to_owned(), home, seat, git_port }
    }

    /// Makes the account at the API at `url`, logs in, and hands over the key.
    pub(crate) fn register(&self, url: &str) {
        let (name, email) =
            (format!("--username={}", self.name), format!("--email={}@example.com", self.name));
        self.deis(&["register", url, &name, "--password=secret", &email]).succeeded();
        self.deis(&["keys:add", &self.public_key().display().to_string()]).succeeded();
    }

    /// Runs `deis` in the home directory.
    pub fn deis(&self, arguments: &[&str]) -> Output {
        self.deis_in(&self.home, arguments)
    }

    /// Runs `deis` in a repository, where it knows the app.
    pub fn deis_in(&self, directory: &Path, arguments: &[&str]) -> Output {
        run(&mut self.deis_command(directory, arguments), COMMAND_TIMEOUT)
    }

    /// The same, with `input` to read.
    pub fn deis_reading(&self, directory: &Path, arguments: &[&str], input: &str) -> Output {
        let path = self.home.join("input");
        std::fs::write(&path, input).expect("a home is writable");
        let file = File::open(&path).expect("it was just written");
        run_reading(&mut self.deis_command(directory, arguments), file.into(), COMMAND_TIMEOUT)
    }

    /// A `deis` command, to be started by the caller.
    pub fn deis_command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let port = self.git_port.to_string();
        let variables = [("HOME", self.home.as_os_str()), ("DEIS_SSH_PORT", port.as_ref())];
        let mut command = self.seat.command(binary("deis"), directory, &variables);
        command.args(arguments);
        command
    }

    /// The public key's file.
    pub fn public_key(&self) -> PathBuf {
        self.home.join(".ssh/id_ed25519.pub")
    }

    /// How git is to call ssh, which gives a server up that says nothing any more.
    pub fn ssh(&self) -> String {
        let key = self.home.join(".ssh/id_ed25519");
        let options = SSH_OPTIONS.map(|option| format!(" -o {option}")).concat();
        format!("ssh -i {}{options}", key.display())
    }

    /// A copy of one of the examples as a repository, with an app `name` for it.
    pub fn create_app(&self, name: &str, example: &str) -> Repository {
        let source = workspace().join("examples").join(example);
        let repository = Repository::copy(&source, self.home.join(name), self.seat.clone(), self.ssh());
        self.deis_in(repository.path(), &["create", name]).succeeded();
        repository
    }

    /// A repository of `files`, with an app `name` for it.
    pub fn create_app_of(&self, name: &str, files: &[(&str, &str)]) -> Repository {
        let repository = Repository::with_files(files, self.home.join(name), self.seat.clone(), self.ssh());
        self.deis_in(repository.path(), &["create", name]).succeeded();
        repository
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace").to_owned()
}
