//! The platform's own certificate, for every host that has none.

use std::sync::Arc;

use deis_model::KeyPair;

use super::cache::Cache;
use super::pair::{Pair, PairError};

/// The platform's certificate: settings `sslCert` and `sslKey` of the mesh.
#[derive(Debug, Default)]
pub(crate) struct PlatformCertificate {
    source: Option<KeyPair>,
    /// None if there is none.
    pub(crate) pair: Option<Result<Arc<Pair>, PairError>>,
}

impl PlatformCertificate {
    /// The one in `source`; `previous` if that was made from the same.
    pub(crate) fn of(source: Option<KeyPair>, previous: &Arc<Self>, cache: &Cache) -> Arc<Self> {
        if source == previous.source {
            return Arc::clone(previous);
        }
        let pair = source.as_ref().map(|source| cache.read(source));
        if let Some(Err(error)) = &pair {
            tracing::warn!(%error, "the platform's certificate cannot be used");
        }
        Arc::new(Self { source, pair })
    }

    /// The certificate, if there is one that can be used.
    pub(crate) fn usable(&self) -> Option<&Arc<Pair>> {
        self.pair.as_ref()?.as_ref().ok()
    }
}
