//! What tells an app from every other, also from one that had its name before.

use std::fmt;

/// The lower-case hyphenated UUID of an app; names of its repository, lock and cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AppUuid(String);

/// How long the parts between hyphens are.
const PARTS: [usize; 5] = [8, 4, 4, 4, 12];

impl AppUuid {
    /// Parses `text`; none if it is no lower-case hyphenated UUID.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fits = text.split('-').map(str::len).eq(PARTS) && text.split('-').all(is_hex);
        fits.then(|| Self(text.to_owned()))
    }

    /// The UUID as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppUuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, valid: bool) {
        assert_eq!(AppUuid::parse(text).is_some(), valid, "{text:?}");
    }

    #[test]
    fn only_uuids_as_the_controller_writes_them_are_taken() {
        check("6f1c0f9e-5d3b-4a39-9b0e-2f6a1d7c8e90", true);
        check("6F1C0F9E-5D3B-4A39-9B0E-2F6A1D7C8E90", false);
        check("6f1c0f9e5d3b4a399b0e2f6a1d7c8e90", false);
        check("../../../../../../../../../etc/x-1-1", false);
        check("blog", false);
        check("", false);
    }
}
