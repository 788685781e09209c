//! Process types and how many of each are wanted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a process type, as in a Procfile: `web`, `worker`, `cmd`.
///
/// 1–63 characters of letters, digits, `-`, `_` and `.`, starting with a letter: it becomes part of container names and labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProcessType(String);

/// Which rule a text breaks that was to be a process type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessTypeError {
    /// Empty or over 63 characters.
    #[error("process types must have 1 to 63 characters")]
    Length,
    /// Starts with something other than a letter.
    #[error("process types must start with a letter")]
    Start,
    /// A character outside of letters, digits, `-`, `_` and `.`.
    #[error("process types can only contain letters, digits, '-', '_' and '.', not {found:?}")]
    Character {
        /// The first offending character.
        found: char,
    },
}

impl ProcessType {
    /// Parses `text`, or says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, ProcessTypeError> {
        if text.is_empty() || text.len() > 63 {
            return Err(ProcessTypeError::Length);
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(ProcessTypeError::Start);
        }
        match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
            Some(found) => Err(ProcessTypeError::Character { found }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// `web`.
    pub fn web() -> Self {
        Self("web".to_owned())
    }

    /// `cmd`: the image's own command.
    pub fn cmd() -> Self {
        Self("cmd".to_owned())
    }

    /// `run`: one-off commands; never part of a formation.
    pub fn run() -> Self {
        Self("run".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether visitors' requests go to containers of this type.
    pub fn is_routable(&self) -> bool {
        matches!(self.0.as_str(), "web" | "cmd")
    }
}

impl fmt::Display for ProcessType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for ProcessType {
    type Error = ProcessTypeError;

    fn try_from(text: String) -> Result<Self, ProcessTypeError> {
        Self::parse(&text)
    }
}

impl From<ProcessType> for String {
    fn from(process: ProcessType) -> Self {
        process.0
    }
}

/// How many containers of each process type are wanted. `structure` on the wire.
pub type Formation = BTreeMap<ProcessType, u32>;
