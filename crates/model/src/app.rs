//! An app: what a user deploys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest app id, in characters; ids become DNS labels of 63, the original allowed 64.
pub const MAX_APP_ID_LENGTH: usize = 64;

/// The id of an app: 1–64 characters of `a-z`, `0-9` and `-`, unique on the platform.
///
/// Source: the original's validation of app ids; messages are what its clients show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(String);

/// Which rule a text breaks that was to be an app id. The messages are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppIdError {
    /// Empty.
    #[error("This field may not be blank.")]
    Blank,
    /// A character that no id-like text may hold.
    #[error("Enter a valid 'slug' consisting of letters, numbers, underscores or hyphens.")]
    NotASlug,
    /// A capital or an underscore.
    #[error("App IDs can only contain [a-z0-9-].")]
    BadCharacter,
    /// Over 64 characters.
    #[error("Ensure this field has no more than 64 characters.")]
    TooLong,
}

impl AppId {
    /// Parses `text`, or says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, AppIdError> {
        if text.is_empty() {
            return Err(AppIdError::Blank);
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(AppIdError::NotASlug);
        }
        if text.chars().any(|c| c.is_ascii_uppercase() || c == '_') {
            return Err(AppIdError::BadCharacter);
        }
        if text.len() > MAX_APP_ID_LENGTH {
            return Err(AppIdError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for AppId {
    type Error = AppIdError;

    fn try_from(text: String) -> Result<Self, AppIdError> {
        Self::parse(&text)
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), AppIdError>) {
        assert_eq!(AppId::parse(text).map(drop), expected, "{text:?}");
    }

    #[test]
    fn an_app_id_is_a_lower_case_slug() {
        check("blog", Ok(()));
        check("my-app-2", Ok(()));
        check("", Err(AppIdError::Blank));
        check("Blog", Err(AppIdError::BadCharacter));
        check("my_app", Err(AppIdError::BadCharacter));
        check("../etc", Err(AppIdError::NotASlug));
        check("blög", Err(AppIdError::NotASlug));
        check(&"a".repeat(64), Ok(()));
        check(&"a".repeat(65), Err(AppIdError::TooLong));
    }
}
