//! Who asks: a key and its secret.

use super::location::Source;
use crate::error::StoreError;
use std::path::Path;

const KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// A key and its secret. Has no `Debug`, so that it is never printed.
pub(super) struct Credentials {
    pub(super) key: String,
    pub(super) secret: String,
    /// What temporary credentials have besides.
    pub(super) token: Option<String>,
}

impl Credentials {
    /// Finds the credentials where `source` says they are.
    pub(super) async fn find(source: &Source) -> Result<Self, StoreError> {
        match source {
            Source::Url { key, secret } => Ok(Self { key: key.clone(), secret: secret.clone(), token: None }),
            Source::Environment => from(|name| std::env::var(name).ok())
                .ok_or_else(|| StoreError::Credentials { place: "the environment".to_owned() }),
            Source::File(path) => from_file(path).await,
        }
    }
}

async fn from_file(path: &Path) -> Result<Credentials, StoreError> {
    let text = tokio::fs::read_to_string(path).await.map_err(|source| StoreError::Io {
        action: "read",
        subject: "the store's credentials".to_owned(),
        location: path.display().to_string(),
        source,
    })?;
    from(|name| value(&text, name))
        .ok_or_else(|| StoreError::Credentials { place: path.display().to_string() })
}

fn from(find: impl Fn(&str) -> Option<String>) -> Option<Credentials> {
    let find = |name| find(name).filter(|value| !value.is_empty());
    Some(Credentials { key: find(KEY)?, secret: find(SECRET)?, token: find(TOKEN) })
}

/// The value of the first line `NAME=value`; Amazon's tools write names in small letters and blanks around `=`.
fn value(text: &str, name: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let mut found = pairs.filter(|(left, _)| left.trim().eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str, Option<&str>)>) {
        let found = from(|name| value(text, name));
        let found = found.as_ref().map(|found| (&*found.key, &*found.secret, found.token.as_deref()));
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn a_file_has_the_form_of_an_environment_or_of_amazons_tools() {
        check("AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b=c\n", Some(("a", "b=c", None)));
        let section = "[default]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = t\n";
        check(section, Some(("a", "b", Some("t"))));
        check("aws_access_key_id = a\n", None);
        check("AWS_ACCESS_KEY_ID=\nAWS_SECRET_ACCESS_KEY=b\n", None);
        check("", None);
    }

    #[tokio::test]
    async fn a_file_without_credentials_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Credentials::find(&Source::File(file.path().into())).await.err().unwrap();
        assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    }
}
