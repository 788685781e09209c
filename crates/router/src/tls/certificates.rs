//! The certificates of one app, found by the host that a client asks for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::SignatureScheme;

use deis_model::AppRoute;

use super::cache::Cache;
use super::pair::{Pair, wildcard};

/// The certificates of one app.
#[derive(Default)]
pub(crate) struct Certificates {
    /// What they were read from; none if it has none.
    source: Option<Arc<AppRoute>>,
    read: Arc<Read>,
}

/// What was read of certificates.
#[derive(Default)]
struct Read {
    /// As in the source; none in place of those that cannot be used.
    pairs: Vec<Option<Arc<Pair>>>,
    by_name: HashMap<Box<str>, Vec<Arc<Pair>>>,
}

/// What a client asks for.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// In lower case.
    pub(crate) host: &'a str,
    /// The signatures that it can check; none if any will do.
    pub(crate) schemes: Option<&'a [SignatureScheme]>,
    /// When it asks.
    pub(crate) now: SystemTime,
}

impl Certificates {
    /// Those of `route`. What `previous` or `cache` has read already is not read again.
    pub(crate) fn of(route: &Arc<AppRoute>, previous: Option<&Arc<Self>>, cache: &Cache) -> Arc<Self> {
        let source = previous.and_then(|previous| previous.source.as_ref());
        if let Some((previous, source)) = previous.zip(source) {
            if Arc::ptr_eq(source, route) {
                return Arc::clone(previous);
            }
            if source.certificates == route.certificates {
                return Arc::new(Self { source: Some(Arc::clone(route)), read: Arc::clone(&previous.read) });
            }
        }
        if route.certificates.is_empty() {
            return match previous {
                Some(previous) if source.is_none() => Arc::clone(previous),
                _ => Arc::default(),
            };
        }
        let read = Read::of(route, previous.map(AsRef::as_ref), cache);
        Arc::new(Self { source: Some(Arc::clone(route)), read: Arc::new(read) })
    }

    /// The best for `wish`.
    pub(crate) fn find(&self, wish: &Wish<'_>) -> Option<&Arc<Pair>> {
        let by_name = &self.read.by_name;
        if by_name.is_empty() {
            return None;
        }
        let exact = by_name.get(wish.host).into_iter().flatten().map(|pair| (true, pair));
        let wildcard = wildcard(wish.host).and_then(|name| by_name.get(name.as_str()));
        let all = exact.chain(wildcard.into_iter().flatten().map(|pair| (false, pair)));
        let suiting = all.filter(|(_, pair)| wish.schemes.is_none_or(|schemes| pair.suits(schemes)));
        suiting
            .max_by_key(|(is_exact, pair)| (pair.is_valid_at(wish.now), *is_exact, pair.ends()))
            .map(|(_, pair)| pair)
    }

    /// What was read of the `place`th certificate, if it is still the same.
    fn known(&self, wanted: &deis_model::KeyPair) -> Option<&Option<Arc<Pair>>> {
        let place = self.source.as_ref()?.certificates.iter().position(|held| held == wanted)?;
        self.read.pairs.get(place)
    }
}

impl Read {
    fn of(route: &AppRoute, previous: Option<&Certificates>, cache: &Cache) -> Self {
        let read = |wanted| match previous.and_then(|previous| previous.known(wanted)) {
            Some(known) => known.clone(),
            None => cache.read(wanted).inspect_err(|error| warn(route, error)).ok(),
        };
        let pairs: Vec<_> = route.certificates.iter().map(read).collect();
        let mut by_name = HashMap::<_, Vec<_>>::new();
        for pair in pairs.iter().flatten() {
            for name in pair.names() {
                by_name.entry(name.into()).or_default().push(Arc::clone(pair));
            }
        }
        Self { pairs, by_name }
    }
}

fn warn(route: &AppRoute, error: &super::pair::PairError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(app = %route.app, %error, cause, "an app's certificate cannot be used; its other ones are");
}

#[cfg(test)]
mod tests;
