//! Tags: labels that a host must carry to run an app's containers.

/// Why a tag is refused. The messages are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The key has something other than letters.
    #[error("Tag keys can only contain [a-z]")]
    Key,
    /// The value has something other than letters, digits and underscores.
    #[error("Invalid tag value")]
    Value,
}

/// Checks a tag's key: letters only.
pub fn check_tag_key(key: &str) -> Result<(), TagError> {
    let fits = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic());
    if fits { Ok(()) } else { Err(TagError::Key) }
}

/// Checks a tag's value: letters, digits and underscores.
pub fn check_tag_value(value: &str) -> Result<(), TagError> {
    let fits = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if fits { Ok(()) } else { Err(TagError::Value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, value: &str, expected: Result<(), TagError>) {
        assert_eq!(check_tag_key(key).and_then(|()| check_tag_value(value)), expected, "{key}={value}");
    }

    #[test]
    fn tags_are_plain_words() {
        check("environ", "prod", Ok(()));
        check("RAM", "16_GB", Ok(()));
        check("host name", "x", Err(TagError::Key));
        check("rack1", "x", Err(TagError::Key));
        check("", "x", Err(TagError::Key));
        check("rack", "a b", Err(TagError::Value));
        check("rack", "a\n", Err(TagError::Value));
        check("rack", "", Err(TagError::Value));
    }
}
