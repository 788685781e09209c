//! A host that has the database, as it is named in settings.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host that has the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its host name: 1–63 lower-case letters, digits and `-`.
    pub name: String,
    /// Where the others reach it.
    pub address: IpAddr,
}

/// A text that describes no member.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not NAME=ADDRESS, as in alpha=10.0.0.1, with a name of letters, digits and dashes")]
pub struct MemberError(String);

impl FromStr for Member {
    type Err = MemberError;

    fn from_str(text: &str) -> Result<Self, MemberError> {
        let failed = || MemberError(text.to_owned());
        let (name, address) = text.trim().split_once('=').ok_or_else(failed)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let named = (1..=63).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('-');
        match address.parse() {
            Ok(address) if named => Ok(Self { name: name.to_owned(), address }),
            _ => Err(failed()),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let parsed = text.parse::<Member>().ok().map(|member| member.to_string());
        assert_eq!(parsed.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn members_are_a_name_and_an_address() {
        check("alpha=10.0.0.1", Some("alpha=10.0.0.1"));
        check(" a-1=fd00::1 ", Some("a-1=fd00::1"));
        for text in
            ["", "alpha", "=10.0.0.1", "alpha=", "alpha=host", "a b=10.0.0.1", "A=10.0.0.1", "-a=10.0.0.1"]
        {
            check(text, None);
        }
    }
}
