//! The pre-receive hook: git's side of a push, in a process that git starts.
//!
//! It hands what git told it to the builder over a socket, prints what comes back and ends as the builder says. A
//! builder that dies is noticed by the end of the stream, and the push is refused.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::reference::RefUpdate;

/// Where the builder listens, in the hook's environment.
pub(crate) const SOCKET: &str = "DEIS_HOOK_SOCKET";
/// The program that git's hook executes, in the hook's environment.
pub(crate) const PROGRAM: &str = "DEIS_HOOK_PROGRAM";
/// What the session is known by, in the hook's environment.
pub(crate) const TOKEN: &str = "DEIS_HOOK_TOKEN";
/// Git keeps the pushed objects apart until the hook agrees; these say where.
const QUARANTINE: [&str; 3] =
    ["GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH"];
/// Puts the cursor over the `remote: ` that git prints before each line.
const TO_COLUMN_1: &str = "\x1b[1G";

/// What the hook asks the builder. No `Debug`: the token is a secret.
#[derive(Serialize, Deserialize)]
pub(crate) struct HookRequest {
    /// The session's token.
    pub(crate) token: String,
    /// Git's variables about the pushed objects.
    pub(crate) quarantine: BTreeMap<String, String>,
    /// What the push changes.
    pub(crate) updates: Vec<RefUpdate>,
}

/// What the builder answers, one JSON object per line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HookAnswer {
    /// A line to print.
    Line(String),
    /// The exit status; the last answer.
    Exit(u8),
}

/// Runs git's pre-receive hook in this process: 0 lets the push through.
///
/// Reads the updates from standard input as git gives them, and the session from the environment that the builder
/// gave to git. Prints to standard error, which git passes on to the pusher.
pub fn pre_receive() -> ExitCode {
    match ask() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            print(&format!(" !     the builder went away in the middle of the push ({error}); push again"));
            ExitCode::FAILURE
        }
    }
}

fn ask() -> io::Result<u8> {
    let socket = variable(SOCKET)?;
    let request = HookRequest { token: variable(TOKEN)?, quarantine: quarantine(), updates: updates()? };
    let mut stream = UnixStream::connect(socket)?;
    serde_json::to_writer(&mut stream, &request)?;
    stream.write_all(b"\n")?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?)? {
            HookAnswer::Line(text) => print(&text),
            HookAnswer::Exit(status) => return Ok(status),
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended"))
}

fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(|_| io::Error::other(format!("{name} is not set")))
}

fn quarantine() -> BTreeMap<String, String> {
    let present =
        QUARANTINE.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    present.collect()
}

fn updates() -> io::Result<Vec<RefUpdate>> {
    io::stdin().lines().map(|line| parse(&line?)).collect()
}

fn parse(line: &str) -> io::Result<RefUpdate> {
    let mut words = line.splitn(3, ' ').map(str::to_owned);
    match (words.next(), words.next(), words.next()) {
        (Some(old), Some(new), Some(name)) => Ok(RefUpdate { old, new, name }),
        _ => Err(io::Error::other("git named an update in an unknown way")),
    }
}

/// A pusher who left does not end the push: it goes on until the builder says otherwise.
fn print(text: &str) {
    let _ = writeln!(io::stderr(), "{TO_COLUMN_1}{text}");
}
