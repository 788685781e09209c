//! The name of a version of an image, and what a manifest is asked for by.

use crate::digest::Digest;
use std::fmt;

/// The longest tag in bytes.
const TAG_LIMIT: usize = 128;

/// A tag: letters, digits, `_`, `.` and `-`, neither of the last two first, 128 bytes at most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag(String);

impl Tag {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let known = text.chars().all(|c| is_word(c) || c == '.' || c == '-');
        (known && text.starts_with(is_word) && text.len() <= TAG_LIMIT).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// The name of a version.
    Tag(Tag),
    /// Its content.
    Digest(Digest),
}

impl Reference {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Digest::parse(text).map(Self::Digest).or_else(|| Tag::parse(text).map(Self::Tag))
    }

    pub(crate) fn as_digest(&self) -> Option<Digest> {
        match self {
            Self::Digest(digest) => Some(*digest),
            Self::Tag(_) => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(formatter),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_tag_or_a_digest() {
        for tag in ["v1", "latest", "_", "1.0-rc.1", &"a".repeat(128)] {
            assert_eq!(Reference::parse(tag), Tag::parse(tag).map(Reference::Tag), "{tag:?}");
            assert!(Tag::parse(tag).is_some(), "{tag:?}");
        }
        let digest = Digest::of(b"x");
        assert_eq!(Reference::parse(&digest.to_string()), Some(Reference::Digest(digest)));
        for wrong in ["", ".", "-a", "a/b", "a:b", "sha256:00", "é", &"a".repeat(129)] {
            assert_eq!(Reference::parse(wrong), None, "{wrong:?}");
        }
    }
}
