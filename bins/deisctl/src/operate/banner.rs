//! What is printed above work on the whole platform.

use std::io::{self, Write};

/// Prints the banner with `title`.
pub(super) fn banner(out: &mut dyn Write, title: &str) -> io::Result<()> {
    writeln!(out, "{}", text(title))
}

/// The original's three lines.
pub(super) fn text(title: &str) -> String {
    format!("● ▴ ■\n■ ● ▴ {title}\n▴ ■ ●\n")
}
