//! A URL picks the adapter.

use crate::{error::StoreError, file::FileStore, memory::MemoryStore, store::ObjectStore};
use std::{path::PathBuf, sync::Arc};
use url::Url;

/// Opens the store that `url` names.
///
/// `file:///absolute/directory` creates the directory where needed; several processes may share it. `memory://` is a
/// new, empty store that ends with its last handle.
pub async fn open(url: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    match adapter(url).ok_or_else(|| StoreError::Url { url: url.to_owned() })? {
        Adapter::File(directory) => Ok(Arc::new(FileStore::open(directory).await?)),
        Adapter::Memory => Ok(Arc::new(MemoryStore::new())),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Adapter {
    File(PathBuf),
    Memory,
}

fn adapter(url: &str) -> Option<Adapter> {
    let url = Url::parse(url).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "file" if plain => url.to_file_path().ok().map(Adapter::File),
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
}
