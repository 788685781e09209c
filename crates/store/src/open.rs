//! A URL picks the adapter.

use crate::{
    error::StoreError,
    file::FileStore,
    memory::MemoryStore,
    s3::{Location, S3Store},
    store::ObjectStore,
};
use std::{path::PathBuf, sync::Arc};
use url::Url;

/// Opens the store that `url` names.
///
/// `file:///absolute/directory` creates the directory where needed; several processes may share it. `memory://` is a
/// new, empty store that ends with its last handle. `s3://[KEY:SECRET@]BUCKET[/PREFIX]` is a bucket that exists, with
/// the parameters `endpoint` (a server's URL; else Amazon's), `region` (any, for most servers) and `credentials_file`.
/// Credentials that are in neither are taken from the environment: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
/// An S3 server that is away is no failure; calls fail until it comes.
pub async fn open(url: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    match adapter(url).ok_or_else(|| StoreError::Url { url: redacted(url) })? {
        Adapter::File(directory) => Ok(Arc::new(FileStore::open(directory).await?)),
        Adapter::S3(location) => Ok(Arc::new(S3Store::at(location).await?)),
        Adapter::Memory => Ok(Arc::new(MemoryStore::new())),
    }
}

/// A store's URL without its secrets, to be shown.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // Up to the last of them: a secret that was not encoded may contain one, and the slash that ends the search too.
    match rest.rfind('@').filter(|at| *at < end || rest[..*at].contains(':')) {
        Some(at) => format!("{scheme}://…@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Adapter {
    File(PathBuf),
    S3(Location),
    Memory,
}

fn adapter(url: &str) -> Option<Adapter> {
    let url = Url::parse(url).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "file" if plain => url.to_file_path().ok().map(Adapter::File),
        "s3" => Location::parse(&url).map(Adapter::S3),
        "memory" if plain && url.host().is_none() => Some(Adapter::Memory),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<Adapter>) {
        assert_eq!(adapter(url), expected, "{url:?}");
    }

    #[test]
    fn the_scheme_picks_the_adapter() {
        check("file:///var/lib/deis/store", Some(Adapter::File("/var/lib/deis/store".into())));
        check("file:///with%20space", Some(Adapter::File("/with space".into())));
        check("memory://", Some(Adapter::Memory));
        check("memory:", Some(Adapter::Memory));
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["", "/var/lib", "file://host/dir", "file:///dir?x=1", "memory://host", "http://host/"] {
            check(url, None);
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        for (url, expected) in [
            ("s3://me:secret@deis/x?region=a", "s3://…@deis/x?region=a"),
            ("s3://me:sec/r@et@deis", "s3://…@deis"),
            ("s3://deis/a@b", "s3://deis/a@b"),
            ("file:///a", "file:///a"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redacted(url), expected);
        }
    }

    #[tokio::test]
    async fn a_url_that_is_refused_is_shown_without_its_secret() {
        let error = open("s3://me:secret@deis?endpint=x").await.unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
