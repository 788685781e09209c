//! Config: environment, limits and tags of an app, versioned with its releases.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a config variable: ASCII letters, digits and `_`, not starting with a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConfigKey(String);

/// A text that may not name a config variable. The message is part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Config keys must start with a letter or underscore and only contain [A-z0-9_]")]
pub struct ConfigKeyError;

impl ConfigKey {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, ConfigKeyError> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        match starts_well && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            true => Ok(Self(text.to_owned())),
            false => Err(ConfigKeyError),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConfigKey {
    type Error = ConfigKeyError;

    fn try_from(text: String) -> Result<Self, ConfigKeyError> {
        Self::parse(&text)
    }
}

impl From<ConfigKey> for String {
    fn from(key: ConfigKey) -> Self {
        key.0
    }
}

/// Environment variables of a container. Values are secrets: printing it shows names only.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// A config as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// Who made it.
    pub owner: String,
    /// Environment variables.
    pub values: Environment,
    /// Memory limit per process type, as the user wrote it: `512M`.
    pub memory: BTreeMap<String, String>,
    /// CPU shares per process type, 0–1024.
    pub cpu: BTreeMap<String, u16>,
    /// Labels that hosts must carry.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: time::OffsetDateTime,
    /// When it last changed.
    pub updated: time::OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_keys_are_shell_names() {
        for good in ["FOO", "_foo", "f001", "FOO_BAR_BAZ_"] {
            assert!(ConfigKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "123", "../../foo", "FOO/", "FOO-BAR", "FÖO"] {
            assert!(ConfigKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn printing_an_environment_shows_no_values() {
        let environment = Environment([("TOKEN".to_owned(), "secret".to_owned())].into());
        assert_eq!(format!("{environment:?}"), r#"{"TOKEN"}"#);
    }
}
