//! What is changed about the headers of requests and answers.

use super::value::{Must, header_value, is_token};

/// How many headers can be changed by the settings of one app, or of the mesh.
pub const MAX_HEADER_RULES: usize = 64;

/// What is changed about headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Of requests, before an app sees them.
    pub request: Vec<HeaderRule>,
    /// Of an app's answers, before a visitor sees them.
    pub response: Vec<HeaderRule>,
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// Its name in lower case.
    pub name: String,
    /// What it is set to, in place of all values it had; none: it is removed.
    pub value: Option<String>,
}

/// Headers that say where a message ends or what becomes of the connection, or what only the router knows.
const RESERVED: [&str; 19] = [
    "connection",
    "content-length",
    "content-encoding",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-ssl",
    "x-real-ip",
    "x-request-id",
    "x-request-start",
];

impl HeaderRule {
    /// The rule for the header `name`: set to `value`, or removed if that is empty.
    pub(super) fn parse(name: &str, value: &str) -> Result<Self, Must> {
        let name = name.to_ascii_lowercase();
        if !is_token(&name) || name.len() > 128 {
            return Err(Must::be("for a header, like header/response/X-Frame-Options"));
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(Must::be(format!("for another header: {name} is the router's own")));
        }
        let value = Some(header_value(value)?).filter(|value| !value.is_empty());
        Ok(Self { name, value })
    }

    /// Takes its place among `rules`: there is one for each header, and the last counts.
    pub(super) fn join(self, rules: &mut Vec<Self>) {
        rules.retain(|rule| rule.name != self.name);
        rules.push(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_set_or_removed() {
        let rule = HeaderRule::parse("X-Frame-Options", " DENY ").unwrap();
        assert_eq!((rule.name.as_str(), rule.value.as_deref()), ("x-frame-options", Some("DENY")));
        assert_eq!(HeaderRule::parse("Server", "").unwrap().value, None);
    }

    #[test]
    fn headers_that_frame_messages_or_are_the_routers_stay_as_they_are() {
        for name in ["Content-Length", "transfer-encoding", "Host", "X-Forwarded-For", "X Y", "", "a:b"] {
            assert!(HeaderRule::parse(name, "x").is_err(), "{name:?}");
        }
        assert!(HeaderRule::parse("x-y", "a\r\nb: c").is_err());
    }

    #[test]
    fn there_is_one_rule_for_a_header() {
        let mut rules = Vec::new();
        HeaderRule::parse("X-One", "1").unwrap().join(&mut rules);
        HeaderRule::parse("x-two", "1").unwrap().join(&mut rules);
        HeaderRule::parse("x-one", "2").unwrap().join(&mut rules);
        let shown: Vec<_> = rules.iter().map(|rule| (rule.name.as_str(), rule.value.as_deref())).collect();
        assert_eq!(shown, [("x-two", Some("1")), ("x-one", Some("2"))]);
    }
}
