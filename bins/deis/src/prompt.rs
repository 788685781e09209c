//! Questions to the user.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::output;

/// Asks `question` and gives the line that was typed.
pub(crate) async fn ask(question: &str) -> Result<String> {
    output::text(question)?;
    read_line().await
}

/// Asks `question`; what is typed is not shown.
pub(crate) async fn ask_secret(question: &str) -> Result<String> {
    output::text(question)?;
    let hidden = Hidden::begin();
    let answer = read_line().await;
    if hidden.is_some() {
        output::line("")?;
    }
    answer
}

/// `given`, or what is typed in answer to `question`.
pub(crate) async fn given_or_ask(given: Option<String>, question: &str) -> Result<String> {
    match given {
        Some(given) => Ok(given),
        None => ask(question).await,
    }
}

/// `given`, or what is typed unseen in answer to `question`.
pub(crate) async fn given_or_ask_secret(given: Option<String>, question: &str) -> Result<String> {
    match given {
        Some(given) => Ok(given),
        None => ask_secret(question).await,
    }
}

/// Whether the answer to `question` begins with `y`.
pub(crate) async fn agrees(question: &str) -> Result<bool> {
    Ok(ask(question).await?.to_lowercase().starts_with('y'))
}

async fn read_line() -> Result<String> {
    let mut line = String::new();
    // On another thread: Ctrl-C must be able to end us meanwhile.
    let (count, line) = tokio::task::spawn_blocking(move || {
        io::stdin().lock().read_line(&mut line).map(|count| (count, line))
    })
    .await??;
    if count == 0 {
        bail!("the question was not answered: the input ended; give the answer as an option (see --help)");
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> Option<Self> {
        let stdin = io::stdin();
        let before = stdin.is_terminal().then(|| tcgetattr(&stdin).ok()).flatten()?;
        let mut hiding = before.clone();
        hiding.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &hiding).ok()?;
        Some(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
