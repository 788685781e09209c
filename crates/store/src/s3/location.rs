//! What an `s3://` URL says: which bucket, where in it, on which server, with whose credentials.

use crate::key::ObjectKey;
use percent_encoding::percent_decode_str;
use std::{collections::BTreeMap, fmt, path::PathBuf};
use url::Url;

/// The region that requests are signed for where none is named; servers that are not Amazon's take any.
const REGION: &str = "us-east-1";
/// The parameters that the URL may have.
const PARAMETERS: [&str; 3] = ["endpoint", "region", "credentials_file"];

/// `s3://[KEY:SECRET@]BUCKET[/PREFIX][?endpoint=URL&region=REGION&credentials_file=PATH]`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(super) bucket: String,
    /// What every key in the bucket begins with: empty, or with its closing slash.
    pub(super) prefix: String,
    /// The server; Amazon's own where none is named.
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) credentials: Source,
}

/// Where credentials come from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The URL itself.
    Url { key: String, secret: String },
    /// A file.
    File(PathBuf),
    /// The environment of the process.
    Environment,
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Url { .. } => "Url",
            Self::File(_) => "File",
            Self::Environment => "Environment",
        })
    }
}

impl Location {
    /// Takes an `s3` URL apart; nothing when it is not of the form above.
    pub(crate) fn parse(url: &Url) -> Option<Self> {
        let mut parameters = BTreeMap::new();
        for (name, value) in url.query_pairs() {
            let known = PARAMETERS.contains(&&*name);
            if !known || parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        let endpoint = parameters.remove("endpoint");
        let sound = url.port().is_none() && url.fragment().is_none();
        if !sound || !endpoint.as_deref().is_none_or(is_endpoint) {
            return None;
        }
        Some(Self {
            bucket: url.host_str().filter(|bucket| is_bucket(bucket))?.to_owned(),
            prefix: prefix(url.path())?,
            endpoint,
            region: parameters.remove("region").unwrap_or_else(|| REGION.to_owned()),
            credentials: source(url, parameters.remove("credentials_file"))?,
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.as_deref().unwrap_or("Amazon S3");
        write!(formatter, "bucket {} at {endpoint}", self.bucket)
    }
}

/// A bucket's name, as every S3 server takes it.
fn is_bucket(name: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    (3..=63).contains(&name.len()) && name.chars().all(known)
}

/// A server's URL without anything that could be a secret or a bucket.
fn is_endpoint(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let web = ["http", "https"].contains(&url.scheme()) && url.has_host();
        web && url.username().is_empty() && url.password().is_none() && url.query().is_none()
    })
}

fn prefix(path: &str) -> Option<String> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    match path.trim_matches('/') {
        "" => Some(String::new()),
        path => ObjectKey::parse(path).ok().map(|key| format!("{key}/")),
    }
}

fn source(url: &Url, file: Option<String>) -> Option<Source> {
    let decoded = |text| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    match (url.username(), url.password(), file) {
        ("", None, None) => Some(Source::Environment),
        ("", None, Some(path)) => Some(Source::File(path.into())),
        (key, Some(secret), None) if !key.is_empty() => {
            Some(Source::Url { key: decoded(key)?, secret: decoded(secret)? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Option<Location> {
        Location::parse(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_url_names_bucket_prefix_server_and_credentials() {
        let parsed = parse("s3://deis").unwrap();
        assert_eq!((&*parsed.bucket, &*parsed.prefix, &*parsed.region), ("deis", "", "us-east-1"));
        assert_eq!((parsed.endpoint, parsed.credentials), (None, Source::Environment));
        let parsed = parse("s3://deis/a/b/?endpoint=http://127.0.0.1:8888&region=here").unwrap();
        assert_eq!((&*parsed.prefix, &*parsed.region), ("a/b/", "here"));
        assert_eq!(parsed.to_string(), "bucket deis at http://127.0.0.1:8888");
        let parsed = parse("s3://me:a%2Fb@deis?credentials_file=");
        assert!(parsed.is_none(), "two sources");
        let credentials = parse("s3://me:a%2Fb@deis").unwrap().credentials;
        assert_eq!(credentials, Source::Url { key: "me".into(), secret: "a/b".into() });
        let credentials = parse("s3://deis?credentials_file=/run/s3").unwrap().credentials;
        assert_eq!(credentials, Source::File("/run/s3".into()));
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "s3://",
            "s3:deis",
            "s3://ab",
            "s3://Deis",
            "s3://deis:80/",
            "s3://me@deis",
            "s3://:secret@deis",
            "s3://deis/a//b",
            "s3://deis/%00",
            "s3://deis#x",
            "s3://deis?endpint=http://x",
            "s3://deis?region=a&region=b",
            "s3://deis?endpoint=ftp://x",
            "s3://deis?endpoint=http://me:secret@x",
            "s3://deis?endpoint=nowhere",
        ] {
            assert_eq!(parse(url), None, "{url:?}");
        }
    }

    #[test]
    fn a_location_does_not_print_its_secret() {
        let parsed = parse("s3://me:hidden@deis").unwrap();
        assert!(!format!("{parsed:?} {parsed}").contains("hidden"));
    }
}
