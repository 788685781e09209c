//! Names of files of the write-ahead log.

use crate::error::DatabaseError;

/// A file of the write-ahead log: a segment, a partial one, a history of timelines, or a backup's mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalName(String);

impl WalName {
    /// Parses the names that PostgreSQL gives.
    pub fn parse(text: &str) -> Result<Self, DatabaseError> {
        let hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
        };
        let parts: Vec<&str> = text.split('.').collect();
        let known = match parts.as_slice() {
            [segment] | [segment, "partial"] => hex(segment, 24),
            [timeline, "history"] => hex(timeline, 8),
            [segment, offset, "backup"] => hex(segment, 24) && hex(offset, 8),
            _ => false,
        };
        match known {
            true => Ok(Self(text.to_owned())),
            false => Err(DatabaseError::Name { name: text.to_owned() }),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The place in the log, whatever the timeline; none for a history.
    pub(crate) fn position(&self) -> Option<&str> {
        self.0.get(8..24)
    }

    /// Whether it is a segment or a part of one, and neither a history nor a mark.
    pub(super) fn is_segment(&self) -> bool {
        self.0.len() == 24 || self.0.ends_with(".partial")
    }

    pub(super) fn timeline(&self) -> &str {
        &self.0[..8]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: bool) {
        assert_eq!(WalName::parse(text).is_ok(), expected, "{text:?}");
    }

    #[test]
    fn only_names_of_the_log_are_taken() {
        check("000000010000000000000002", true);
        check("000000010000000000000002.partial", true);
        check("00000002.history", true);
        check("000000010000000000000002.00000028.backup", true);
        for text in
            ["", "0000000100000000000000", "00000001000000000000000g", "../etc/passwd", "00000002.history/x"]
        {
            check(text, false);
        }
    }
}
