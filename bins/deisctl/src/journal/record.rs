//! One line of the journal.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use deis_runtime::Role;

/// What was logged, when, how grave and by whom.
#[derive(Deserialize)]
pub(super) struct Record {
    /// RFC 3339 in UTC with six digits of fraction, so that texts sort by time.
    pub(super) timestamp: String,
    level: String,
    target: String,
    #[serde(default)]
    fields: Map<String, Value>,
}

impl Record {
    /// The record in `line`; none if it is not one.
    pub(super) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// The role whose code wrote it; none for what roles share.
    pub(super) fn role(&self) -> Option<Role> {
        let mut parts = self.target.split("::");
        let name = match parts.next()?.strip_prefix("deis_")? {
            "agent" => parts.next()?,
            name => name,
        };
        name.parse().ok()
    }
}

/// `2026-11-22 16:40:05.123  INFO controller  released app=blog release=v2`
impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.timestamp.get(..23).unwrap_or(&self.timestamp).replace('T', " ");
        let by = self.role().map_or(self.target.as_str(), |role| role.as_str());
        write!(formatter, "{} {:>5} {:<10}", plain(&time), plain(&self.level), plain(by))?;
        if let Some(message) = self.fields.get("message") {
            write!(formatter, " {}", shown(message))?;
        }
        for (name, value) in self.fields.iter().filter(|(name, _)| *name != "message") {
            write!(formatter, " {}={}", plain(name), shown(value))?;
        }
        Ok(())
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), plain)
}

/// Texts come from elsewhere, as request paths do: what steers a terminal is escaped.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => plain.push(character),
            _ if character.is_control() => plain.extend(character.escape_default()),
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(target: &str) -> Record {
        let text = format!(
            r#"{{"timestamp":"2026-11-22T16:40:05.123456Z","level":"INFO","fields":{{"message":"released\u001b[2J","app":"blog","release":2}},"target":"{target}"}}"#
        );
        Record::parse(&text).expect("a record")
    }

    #[test]
    fn a_record_is_one_line_of_plain_text() {
        assert_eq!(
            record("deis_controller::app").to_string(),
            "2026-11-22 16:40:05.123  INFO controller released\\u{1b}[2J app=blog release=2"
        );
    }

    #[test]
    fn the_role_is_told_from_the_crate_and_for_agents_from_the_module() {
        for (target, role) in [
            ("deis_router", Some(Role::Router)),
            ("deis_builder::git", Some(Role::Builder)),
            ("deis_agent::logspout::spool", Some(Role::Logspout)),
            ("deis_agent::publisher", Some(Role::Publisher)),
            ("deis_agent", None),
            ("deis_scheduler::docker", None),
            ("deisd", None),
        ] {
            assert_eq!(record(target).role(), role, "{target}");
        }
    }

    #[test]
    fn lines_that_are_no_records_are_none() {
        for line in ["", "{", "[]", r#"{"level":"INFO"}"#] {
            assert!(Record::parse(line).is_none(), "{line}");
        }
    }
}
