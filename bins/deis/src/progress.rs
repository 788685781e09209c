//! What is shown while the platform works.

use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::output;

const FRAMES: [&str; 4] = ["...", "o..", ".o.", "..o"];
const FRAME_TIME: Duration = Duration::from_millis(400);
/// Takes a frame back.
const ERASE: &str = "\u{8}\u{8}\u{8}";

/// Shows a spinner while `work` goes on, and takes it back. Where nobody watches, it stands still.
pub(crate) async fn spinning<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let watched = io::stdout().is_terminal();
    let mut work = std::pin::pin!(work);
    let mut frames = FRAMES.iter().cycle();
    loop {
        output::text(frames.next().copied().unwrap_or_default())?;
        let done = tokio::select! {
            biased;
            done = &mut work => Some(done),
            () = pause(watched) => None,
        };
        output::text(ERASE)?;
        match done {
            Some(Err(error)) => {
                output::line("")?;
                return Err(error);
            }
            Some(done) => return done,
            None => {}
        }
    }
}

/// Says what is begun, does it, and says that it is done.
pub(crate) async fn announced<T>(
    text: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    output::text(text)?;
    match work.await {
        Ok(done) => {
            output::line("done")?;
            Ok(done)
        }
        Err(error) => {
            output::line("")?;
            Err(error)
        }
    }
}

async fn pause(watched: bool) {
    match watched {
        true => tokio::time::sleep(FRAME_TIME).await,
        false => std::future::pending().await,
    }
}
