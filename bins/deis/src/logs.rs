//! The log of an app, each source in a colour of its own.

use anyhow::{Context, Result};
use reqwest::StatusCode;

use crate::client::segment;
use crate::output;
use crate::session::Session;

const DEFAULT_COLOUR: &str = "\u{1b}[0m";

/// Prints the last lines of `app`, all that the platform gives if `lines` is not set.
pub(crate) async fn print(session: &Session, app: &str, lines: Option<u32>) -> Result<()> {
    let path = path(app, lines, false);
    let response = session.client.get(&path).await?;
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(());
    }
    let text = response.text().await.context("failed to read the log")?;
    let text = text.trim_matches('"').trim_end_matches('\n');
    Ok(output::lines(text.lines().map(coloured))?)
}

/// Prints the last lines of `app`, and then new ones until the platform or the user ends it.
pub(crate) async fn follow(session: &Session, app: &str, lines: Option<u32>) -> Result<()> {
    let mut response = session.client.stream(&path(app, lines, true)).await?;
    let mut rest = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the log broke off: follow again")? {
        rest.extend_from_slice(&chunk);
        if let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') {
            let whole: Vec<u8> = rest.drain(..=end).collect();
            output::lines(String::from_utf8_lossy(&whole).lines().map(coloured))?;
        }
    }
    Ok(())
}

fn path(app: &str, lines: Option<u32>, follow: bool) -> String {
    let lines = lines.map(|lines| format!("log_lines={lines}"));
    let follow = follow.then(|| "follow=true".to_owned());
    let query: Vec<_> = lines.into_iter().chain(follow).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/v1/apps/{}/logs{mark}{}", segment(app), query.join("&"))
}

fn coloured(line: &str) -> String {
    match std::env::var_os("NO_COLOR") {
        Some(_) => line.to_owned(),
        None => format!("\u{1b}[3{}m{line}{DEFAULT_COLOUR}", colour(category(line))),
    }
}

/// What tells sources apart: `blog[web.1]`.
fn category(line: &str) -> &str {
    line.split(": ").next().and_then(|head| head.split(' ').nth(1)).unwrap_or("unknown")
}

/// A colour of the terminal; 7 is the colour of other text, so 9 stands in for it.
fn colour(category: &str) -> u32 {
    match category.bytes().map(u32::from).sum::<u32>() % 7 + 1 {
        7 => 9,
        colour => colour,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_source_have_one_colour() {
        assert_eq!(category("2016-05-04T09:31:00UTC blog[web.1]: GET /: 200"), "blog[web.1]");
        assert_eq!(category("nonsense"), "unknown");
        assert_eq!((colour("b"), colour("a")), (1, 9));
    }

    #[test]
    fn the_request_names_only_what_was_asked() {
        assert_eq!(path("blog", None, false), "/v1/apps/blog/logs");
        assert_eq!(path("blog", Some(5), false), "/v1/apps/blog/logs?log_lines=5");
        assert_eq!(path("blog", Some(5), true), "/v1/apps/blog/logs?log_lines=5&follow=true");
    }
}
