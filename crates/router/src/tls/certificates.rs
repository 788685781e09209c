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
    /// When the first of the app's hosts is left without one that counts, of those that have any.
    first_end: Option<SystemTime>,
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
                return Self::new(route, Arc::clone(&previous.read));
            }
        }
        if route.certificates.is_empty() {
            return match previous {
                Some(previous) if source.is_none() => Arc::clone(previous),
                _ => Arc::default(),
            };
        }
        Self::new(route, Read::of(route, previous.map(AsRef::as_ref), cache).into())
    }

    fn new(route: &Arc<AppRoute>, read: Arc<Read>) -> Arc<Self> {
        let last_end = |host: &String| read.candidates(host).map(|(_, pair)| pair.ends()).max();
        let first_end = route.hosts.iter().filter_map(last_end).min();
        Arc::new(Self { source: Some(Arc::clone(route)), read, first_end })
    }

    /// When the first of the app's hosts is left without a certificate that counts, of those that have any.
    pub(crate) fn first_end(&self) -> Option<SystemTime> {
        self.first_end
    }

    /// The best for `wish`.
    pub(crate) fn find(&self, wish: &Wish<'_>) -> Option<&Arc<Pair>> {
        if self.read.by_name.is_empty() {
            return None;
        }
        let all = self.read.candidates(wish.host);
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

    /// Those for `host`, and whether they are for the very name.
    fn candidates(&self, host: &str) -> impl Iterator<Item = (bool, &Arc<Pair>)> {
        let exact = self.by_name.get(host).into_iter().flatten().map(|pair| (true, pair));
        let wildcard = wildcard(host).and_then(|name| self.by_name.get(name.as_str()));
        exact.chain(wildcard.into_iter().flatten().map(|pair| (false, pair)))
    }
}

fn warn(route: &AppRoute, error: &super::pair::PairError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(app = %route.app, %error, cause, "an app's certificate cannot be used; its other ones are");
}

#[cfg(test)]
mod tests;
