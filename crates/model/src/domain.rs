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
    /// The host name as given, without a trailing dot; the first label may be `*`. Its [`host`] is unique on the platform.
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
    /// `*.com`: everything below a name that is nobody's.
    #[error("A wildcard has to be below a name of two labels at least, as *.example.com is.")]
    Wildcard,
    /// A label that is not one.
    #[error("Hostname does not look valid.")]
    Invalid,
}

/// The name at which routers find `domain`: in lower case, and in ASCII where it has letters of other scripts (RFC 5891).
pub fn host(domain: &str) -> String {
    let (wildcard, name) = parts(domain);
    // What has no such form is no name, and found nowhere.
    let name = idna::domain_to_ascii(name).unwrap_or_else(|_| name.to_ascii_lowercase());
    format!("{wildcard}{name}")
}

/// `*.` and what is below it, or nothing and `domain`.
fn parts(domain: &str) -> (&str, &str) {
    domain.split_at(if domain.starts_with("*.") { 2 } else { 0 })
}

/// Checks `text` and strips one trailing dot.
///
/// Source: the original's rules, to which wildcards and letters of all scripts were added. Names with `xip.io` may have labels of digits only, as in `app.127.0.0.1.xip.io`.
pub fn parse_domain(text: &str) -> Result<String, DomainError> {
    if text.is_empty() {
        return Err(DomainError::Blank);
    }
    if text.len() > MAX_HOST_LENGTH {
        return Err(DomainError::TooLong);
    }
    let domain = text.strip_suffix('.').unwrap_or(text);
    let (wildcard, name) = parts(domain);
    let name = idna::domain_to_ascii(name).map_err(|_| DomainError::Invalid)?;
    let digits_allowed = name.contains("xip.io");
    let labels: Vec<&str> = name.split('.').collect();
    let single_with_digit = labels.len() == 1 && name.contains(|c: char| c.is_ascii_digit());
    let fits = labels.iter().all(|label| is_label(label, digits_allowed)) && !single_with_digit;
    match fits && wildcard.len() + name.len() <= MAX_HOST_LENGTH {
        true if !wildcard.is_empty() && labels.len() == 1 => Err(DomainError::Wildcard),
        true => Ok(domain.to_owned()),
        false => Err(DomainError::Invalid),
    }
}

fn is_label(label: &str, digits_allowed: bool) -> bool {
    let characters = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    // What `xn--` begins was understood already, or the name would have no form in ASCII.
    let inner = label.strip_prefix("xn--").unwrap_or(label);
    let hyphens =
        !label.starts_with('-') && !label.ends_with('-') && (inner != label || !label.contains("--"));
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
    fn wildcards_are_below_somebodys_name() {
        check("*.example.com", Ok("*.example.com"));
        check("*.B\u{fc}cher.example.", Ok("*.B\u{fc}cher.example"));
    }

    #[test]
    fn names_in_other_scripts_are_found_in_ascii() {
        for (text, expected) in [
            ("B\u{dc}CHER.example", "xn--bcher-kva.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.Example", "xn--bcher-kva.example"),
            ("*.b\u{fc}cher.example", "*.xn--bcher-kva.example"),
            ("\u{4f8b}\u{5b50}.\u{6d4b}\u{8bd5}", "xn--fsqu00a.xn--0zwm56d"),
            ("MYDOMAIN.NET", "mydomain.net"),
        ] {
            check(text, Ok(text));
            assert_eq!(host(text), expected, "{text}");
        }
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
        for bad in [
            "*",
            "*.*.example.com",
            "a.*.com",
            "*a.example.com",
            "xn--\u{fc}.com",
            "xn--a.com",
            "b\u{200b}c..d",
        ] {
            check(bad, Err(DomainError::Invalid));
        }
        check("*.com", Err(DomainError::Wildcard));
        check("", Err(DomainError::Blank));
        check(&"a.".repeat(128), Err(DomainError::TooLong));
    }
}
