//! `.env` files: one `KEY=value` per line, taken literally; blank lines and those beginning with `#` are skipped.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config;

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Variables; of several of one name the last.
    pub(crate) values: BTreeMap<String, String>,
    /// Lines that set no variable.
    pub(crate) refused: Vec<String>,
}

/// Reads the text of a file.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match config::parse(line) {
            Some((key, value)) => {
                parsed.values.insert(key.to_owned(), value.to_owned());
            }
            None => parsed.refused.push(line.to_owned()),
        }
    }
    parsed
}

/// The text of a file with `values`, and the names of those that no line can hold.
pub(crate) fn write(values: &BTreeMap<String, String>) -> (String, Vec<String>) {
    let (long, short): (Vec<_>, Vec<_>) = values.iter().partition(|(_, value)| value.contains(['\n', '\r']));
    let text = short.into_iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    (text, long.into_iter().map(|(key, _)| key.clone()).collect())
}

/// Replaces the file at `path`; only its owner can read it, since values are often secrets.
pub(crate) fn save(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_without_a_line_end() {
        let parsed = parse("# a comment\nA=1\n\nB=x=y\nEMPTY=\nnonsense\nPOWERED_BY=Deis");
        let expected = [("A", "1"), ("B", "x=y"), ("EMPTY", ""), ("POWERED_BY", "Deis")];
        assert_eq!(parsed.values, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(parsed.refused, ["nonsense"]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let values =
            [("A", "1"), ("B", "two words"), ("C", "a\nb")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let (text, left_out) = write(&values.clone().into());
        assert_eq!(parse(&text).values, values[..2].iter().cloned().collect());
        assert_eq!(left_out, ["C"]);
    }
}
