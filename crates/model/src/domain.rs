//! A domain: a host name that a user added to an app.

use time::OffsetDateTime;

use crate::AppId;

/// The longest host name, in characters.
const MAX_HOST_LENGTH: usize = 255;

/// A domain as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The app that it leads to.
    pub app: AppId,
    /// Who added it.
    pub owner: String,
    /// The host name as given, without a trailing dot. Unique on the platform whatever its case.
    pub domain: String,
    /// When it was added.
    pub created: OffsetDateTime,
    /// When it last changed.
    pub updated: OffsetDateTime,
}

/// Which rule a text breaks that was to be a domain. The messages are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Empty.
    #[error("This field may not be blank.")]
    Blank,
    /// Over 255 characters.
    #[error("Hostname must be 255 characters or less.")]
    TooLong,
    /// `*.example.com`.
    #[error("Adding a wildcard subdomain is currently not supported.")]
    Wildcard,
    /// A label that is not one.
    #[error("Hostname does not look valid.")]
    Invalid,
}

/// Checks `text` and strips one trailing dot.
///
/// Source: the original's rules. Names with `xip.io` may have labels of digits only, as in `app.127.0.0.1.xip.io`.
pub fn parse_domain(text: &str) -> Result<String, DomainError> {
    if text.is_empty() {
        return Err(DomainError::Blank);
    }
    if text.len() > MAX_HOST_LENGTH {
        return Err(DomainError::TooLong);
    }
    let host = text.strip_suffix('.').unwrap_or(text);
    if host.starts_with("*.") {
        return Err(DomainError::Wildcard);
    }
    let digits_allowed = host.to_ascii_lowercase().contains("xip.io");
    let labels: Vec<&str> = host.split('.').collect();
    let single_with_digit = labels.len() == 1 && host.contains(|c: char| c.is_ascii_digit());
    match labels.iter().all(|label| is_label(label, digits_allowed)) && !single_with_digit {
        true => Ok(host.to_owned()),
        false => Err(DomainError::Invalid),
    }
}

fn is_label(label: &str, digits_allowed: bool) -> bool {
    let characters = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let hyphens = !label.starts_with('-') && !label.ends_with('-') && !label.contains("--");
    let digits = !digits_allowed && label.chars().all(|c| c.is_ascii_digit());
    (1..=63).contains(&label.len()) && characters && hyphens && !digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, DomainError>) {
        assert_eq!(parse_domain(text), expected.map(str::to_owned), "{text:?}");
    }

    #[test]
    fn host_names_are_accepted() {
        for good in [
            "test-domain.example.com",
            "django.paas-sandbox",
            "domain",
            "3com.com",
            "w3.example.com",
            "MYDOMAIN.NET",
            "autotest.127.0.0.1.xip.io",
        ] {
            check(good, Ok(good));
        }
        check("example.com.", Ok("example.com"));
        check(&format!("{}.com", "a".repeat(63)), Ok(&format!("{}.com", "a".repeat(63))));
    }

    #[test]
    fn other_names_are_refused_with_the_rule() {
        for bad in [
            "this_is_an.invalid.domain",
            "this-is-an.invalid.1",
            "django.pass--sandbox",
            "domain1",
            "3333.com",
            "a..b",
            ".",
            "-a.com",
            "a-.com",
            "a/../b.xip.io",
        ] {
            check(bad, Err(DomainError::Invalid));
        }
        check(&format!("{}.com", "a".repeat(64)), Err(DomainError::Invalid));
        check("*.deis.example.com", Err(DomainError::Wildcard));
        check("", Err(DomainError::Blank));
        check(&"a.".repeat(128), Err(DomainError::TooLong));
    }
}
