//! Writing to standard output. Every call may fail: a reader may leave.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;

/// Prints `text` at once, without ending the line.
pub(crate) fn text(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}

/// Prints `text` as a line.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    self::text(format_args!("{text}\n"))
}

/// Prints lines.
pub(crate) fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> io::Result<()> {
    self::text(lines.into_iter().map(|line| format!("{line}\n")).collect::<String>())
}

/// Prints `value` for programs.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    line(format_args!("{value:#}"))
}

/// Prints the title of a list of which `shown` of `total` follow.
pub(crate) fn title(title: &str, shown: usize, total: u64) -> io::Result<()> {
    line(header(title, shown, total))
}

fn header(title: &str, shown: usize, total: u64) -> String {
    match shown as u64 == total {
        true => format!("=== {title}"),
        false => format!("=== {title} ({shown} of {total})"),
    }
}

/// `rows` as lines, the first column as wide as its longest text and `gap` spaces.
pub(crate) fn columns<K: AsRef<str>, V: Display>(
    rows: impl IntoIterator<Item = (K, V)>,
    gap: usize,
) -> Vec<String> {
    let rows: Vec<_> = rows.into_iter().collect();
    let longest = rows.iter().map(|(key, _)| key.as_ref().chars().count()).max().unwrap_or(0);
    rows.iter()
        .map(|(key, value)| format!("{:<width$}{value}", key.as_ref(), width = longest + gap))
        .collect()
}

/// `label` and what it labels, as in descriptions of one thing.
pub(crate) fn field(label: &str, value: impl Display) -> String {
    format!("{:<10}{value}", format!("{label}:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_when_there_is_more() {
        assert_eq!(header("Apps", 2, 2), "=== Apps");
        assert_eq!(header("Apps", 2, 30), "=== Apps (2 of 30)");
    }

    #[test]
    fn columns_are_as_wide_as_the_longest_key() {
        let rows = [("A", "1"), ("LONGER", "2")];
        assert_eq!(columns(rows, 6), ["A           1", "LONGER      2"]);
        assert!(columns([("", ""); 0], 6).is_empty());
    }

    #[test]
    fn fields_line_up() {
        assert_eq!(field("updated", "x"), "updated:  x");
        assert_eq!(field("id", "x"), "id:       x");
    }
}
