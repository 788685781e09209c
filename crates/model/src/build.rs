//! A build: an image made from one push, with its Procfile.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ProcessType, ProcessTypeError};

/// Process types and their command lines, as declared in a `Procfile`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Procfile(pub BTreeMap<ProcessType, String>);

/// Why a text is not a Procfile.
#[derive(Debug, thiserror::Error)]
pub enum ProcfileError {
    /// Not YAML at all.
    #[error("the Procfile is not valid yaml: {0}")]
    Yaml(String),
    /// YAML, but not a map of text to text.
    #[error("the Procfile is not a map of process types to commands, like `web: node server.js`")]
    Shape,
    /// A process type's name breaks a rule.
    #[error("the Procfile's process type {name:?} is refused: {reason}")]
    Type {
        /// As written.
        name: String,
        /// The rule.
        reason: ProcessTypeError,
    },
    /// A process type without a command.
    #[error("the Procfile's process type {0:?} has no command")]
    Empty(String),
}

impl Procfile {
    /// Parses a Procfile: a YAML map of process type to command line.
    pub fn parse(text: &str) -> Result<Self, ProcfileError> {
        let value: serde_yaml_ng::Value =
            serde_yaml_ng::from_str(text).map_err(|error| ProcfileError::Yaml(error.to_string()))?;
        let serde_yaml_ng::Value::Mapping(entries) = value else {
            return Err(ProcfileError::Shape);
        };
        entries
            .into_iter()
            .map(|(name, command)| Self::entry(&name, &command))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn entry(
        name: &serde_yaml_ng::Value,
        command: &serde_yaml_ng::Value,
    ) -> Result<(ProcessType, String), ProcfileError> {
        let name = name.as_str().ok_or(ProcfileError::Shape)?;
        let process = ProcessType::parse(name)
            .map_err(|reason| ProcfileError::Type { name: name.to_owned(), reason })?;
        match command {
            serde_yaml_ng::Value::String(line) if !line.trim().is_empty() => Ok((process, line.clone())),
            serde_yaml_ng::Value::String(_) | serde_yaml_ng::Value::Null => {
                Err(ProcfileError::Empty(name.to_owned()))
            }
            serde_yaml_ng::Value::Bool(flag) => Ok((process, flag.to_string())),
            _ => Err(ProcfileError::Shape),
        }
    }

    /// Whether it declares `process`.
    pub fn declares(&self, process: &ProcessType) -> bool {
        self.0.contains_key(process)
    }
}

/// A build as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// Who made it.
    pub owner: String,
    /// The image as the user or the builder named it.
    pub image: String,
    /// The commit, or empty for images that were not pushed as source.
    pub sha: String,
    /// Process types.
    pub procfile: Procfile,
    /// Not empty for apps built from a Dockerfile.
    pub dockerfile: String,
    /// When it was made.
    pub created: time::OffsetDateTime,
    /// When it last changed.
    pub updated: time::OffsetDateTime,
}

impl Build {
    /// Whether a buildpack made it: pushed as source, without a Dockerfile.
    pub fn is_buildpack(&self) -> bool {
        !self.sha.is_empty() && self.dockerfile.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        let found = Procfile::parse(text).map_err(|error| error.to_string());
        let expected = expected.map(|entries| {
            Procfile(entries.iter().map(|(k, v)| (ProcessType::parse(k).unwrap(), (*v).to_owned())).collect())
        });
        match (found, expected) {
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{text:?}"),
        }
    }

    #[test]
    fn a_procfile_maps_process_types_to_commands() {
        check(
            "web: node server.js\nworker: ruby 'a b'\n",
            Ok(&[("web", "node server.js"), ("worker", "ruby 'a b'")]),
        );
        check("web: python -m http.server $PORT", Ok(&[("web", "python -m http.server $PORT")]));
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        check("web: [", Err("not valid yaml"));
        check("- web", Err("not a map"));
        check("just text", Err("not a map"));
        check("web:", Err("has no command"));
        check("we b: x", Err("process type \"we b\""));
    }
}
