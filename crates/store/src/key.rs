//! The name of an object or of an upload: segments joined by `/`.

use crate::error::StoreError;
use std::fmt;

/// The longest key, in bytes. S3 allows 1024.
const KEY_LIMIT: usize = 1024;
/// The longest segment, in bytes. Common file systems allow 255.
const SEGMENT_LIMIT: usize = 255;

/// The name of an object or upload, like `registry/blobs/sha256/ab/abc…`.
///
/// Segments of 1–255 ASCII letters, digits and `. _ - : @ + = ~`, joined by single `/`, 1024 bytes at most. `.` and
/// `..` are no segments, so a key never leaves its store. Ordered by bytes, as listings are.
///
/// One key must not be another's folder (`a` beside `a/b`): a file store cannot keep both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// The rule that a text breaks, so that it is no [`ObjectKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text has no or too many bytes.
    #[error("an object key has 1 to {KEY_LIMIT} bytes, not {found}")]
    Length {
        /// The bytes of the text.
        found: usize,
    },
    /// A segment is empty, `.`, `..` or too long.
    #[error("a segment of an object key has 1 to {SEGMENT_LIMIT} bytes and is neither `.` nor `..`")]
    Segment,
    /// A character is outside of the allowed ones.
    #[error("an object key must not contain {found:?}")]
    Character {
        /// The first character that is not allowed.
        found: char,
    },
}

impl ObjectKey {
    /// Parses `text`, or says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() || text.len() > KEY_LIMIT {
            return Err(KeyError::Length { found: text.len() });
        }
        if let Some(found) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(KeyError::Character { found });
        }
        match text.split('/').all(is_segment) {
            true => Ok(Self(text.to_owned())),
            false => Err(KeyError::Segment),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text after the last `/`.
    pub fn last_segment(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The folder that holds every key beginning with `prefix`, with its closing slash; empty for the top.
///
/// Refuses what could lead out of the store.
pub(crate) fn folder_of(prefix: &str) -> Result<&str, StoreError> {
    let Some(slash) = prefix.rfind('/') else {
        return Ok("");
    };
    ObjectKey::parse(&prefix[..slash])
        .map_err(|source| StoreError::Key { text: prefix.to_owned(), source })?;
    Ok(&prefix[..=slash])
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/._-:@+=~".contains(c)
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty() && segment.len() <= SEGMENT_LIMIT && segment != "." && segment != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), KeyError>) {
        assert_eq!(ObjectKey::parse(text).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn keys_are_segments_that_stay_inside_the_store() {
        check("a", Ok(()));
        check("registry/blobs/sha256/ab/abcd", Ok(()));
        check("logs/app~1/2026-01-01T00:00:00+00:00.log", Ok(()));
        check("", Err(KeyError::Length { found: 0 }));
        check(&"a/".repeat(600), Err(KeyError::Length { found: 1200 }));
        check(&"a".repeat(256), Err(KeyError::Segment));
        for text in ["/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b"] {
            check(text, Err(KeyError::Segment));
        }
        check("a\0b", Err(KeyError::Character { found: '\0' }));
        check("a b", Err(KeyError::Character { found: ' ' }));
        check("a\\b", Err(KeyError::Character { found: '\\' }));
        check("é", Err(KeyError::Character { found: 'é' }));
    }

    #[test]
    fn the_last_segment_follows_the_last_slash() {
        assert_eq!(ObjectKey::parse("a/b/c").unwrap().last_segment(), "c");
        assert_eq!(ObjectKey::parse("a").unwrap().last_segment(), "a");
    }
}
