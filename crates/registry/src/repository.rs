//! The name of a repository.

use std::fmt;

/// The longest name in bytes; what clients accept, host name included.
const NAME_LIMIT: usize = 255;

/// The name of a repository, like `deis/peachy-waxworks`.
///
/// Parts joined by `/`; a part is lower-case letters and digits, joined by `.`, `_`, `__` or dashes. As in the OCI
/// Distribution Specification 1.1, "Pulling manifests".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RepositoryName(String);

impl RepositoryName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fits = text.len() <= NAME_LIMIT && text.split('/').all(is_part);
        fits.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_part(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_joint = |joint: &str| matches!(joint, "" | "." | "_" | "__") || joint.chars().all(|c| c == '-');
    let known = part.chars().all(|c| is_word(c) || "._-".contains(c));
    known && part.starts_with(is_word) && part.ends_with(is_word) && part.split(is_word).all(is_joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_specification() {
        for name in ["a", "a/b/c", "deis/peachy-waxworks", "a.b_c__d--e/0", "a---b", &"a".repeat(255)] {
            assert!(RepositoryName::parse(name).is_some(), "{name:?}");
        }
        let long = "a".repeat(256);
        for name in [
            "", "/", "a/", "/a", "a//b", "A", "-a", "a-", "a..b", "a___b", "a._b", "_tags", "a/../b", "é",
            "a b", &long,
        ] {
            assert!(RepositoryName::parse(name).is_none(), "{name:?}");
        }
    }
}
