//! Where a component may be: several addresses, one of which is known to work.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use reqwest::Url;
use rustls::ClientConfig;

use super::Connection;

/// How long one of several may take to accept a connection, with TLS, before another is tried.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the only one may take.
const PATIENCE_FOR_THE_ONLY: Duration = Duration::from_secs(5);

/// The places where a component may be, in order of preference. Clones share which of them works.
#[derive(Clone)]
pub struct Peers {
    shared: Arc<Shared>,
}

struct Shared {
    /// Base URLs without trailing slash.
    bases: Vec<String>,
    tls: Option<Arc<ClientConfig>>,
    current: AtomicUsize,
}

impl Peers {
    /// Those at `addresses` (`host:port`): over TLS if `tls` is given, which says who they must be and who calls.
    pub fn new<A: ToString>(addresses: impl IntoIterator<Item = A>, tls: Option<Arc<ClientConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let base = |address: A| format!("{scheme}://{}", address.to_string());
        Self::with(addresses.into_iter().map(base).collect(), tls)
    }

    /// The only one, at a base URL.
    pub(super) fn only(base: &str) -> Self {
        Self::with(vec![base.trim_end_matches('/').to_owned()], None)
    }

    fn with(bases: Vec<String>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { shared: Arc::new(Shared { bases, tls, current: AtomicUsize::new(0) }) }
    }

    /// What connections to them are secured by, if they are.
    pub fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.shared.tls.as_ref()
    }

    /// A connection to the first that accepts one, beginning with the one that worked last.
    pub async fn connect(&self) -> io::Result<Connection> {
        let mut failure = io::Error::other("no address is set");
        for peer in self.in_order() {
            let connecting = Connection::open(self.authority(peer)?, self.tls());
            let connected = tokio::time::timeout(self.patience(), connecting).await;
            match connected.map_err(io::Error::from).and_then(|connected| connected) {
                Ok(connection) => {
                    self.keep(peer);
                    return Ok(connection);
                }
                Err(error) => failure = io::Error::new(error.kind(), format!("{}: {error}", self.base(peer))),
            }
        }
        Err(failure)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.shared.bases.len()
    }

    /// The base URL of the one at this place; empty if there is none.
    pub(super) fn base(&self, peer: usize) -> &str {
        self.shared.bases.get(peer).map_or("", String::as_str)
    }

    /// The place of the one that worked last.
    pub(super) fn current(&self) -> usize {
        self.shared.current.load(Relaxed)
    }

    /// All places, beginning with the one that worked last.
    pub(super) fn in_order(&self) -> impl Iterator<Item = usize> + use<> {
        let (current, count) = (self.current(), self.count());
        (0..count).map(move |step| (current + step) % count)
    }

    /// Notes that this one works.
    pub(super) fn keep(&self, peer: usize) {
        self.shared.current.store(peer, Relaxed);
    }

    /// Notes that this one does not: unless another was found meanwhile, calls begin with the next.
    pub(super) fn pass_over(&self, peer: usize) {
        let next = (peer + 1) % self.count().max(1);
        let _ = self.shared.current.compare_exchange(peer, next, Relaxed, Relaxed);
    }

    /// The place of the one that `url` leads to: the same host, and the same port where several are on it.
    pub(super) fn find(&self, url: &str) -> Option<usize> {
        let wanted = Url::parse(url).ok()?;
        let place = |is_it: &dyn Fn(&Url) -> bool| {
            self.shared.bases.iter().position(|base| Url::parse(base).is_ok_and(|base| is_it(&base)))
        };
        let is_on_host = |base: &Url| base.host() == wanted.host();
        let is_it =
            |base: &Url| is_on_host(base) && base.port_or_known_default() == wanted.port_or_known_default();
        place(&is_it).or_else(|| place(&is_on_host))
    }

    /// How long each may take to accept a connection.
    pub(super) fn patience(&self) -> Duration {
        if self.count() > 1 { PATIENCE } else { PATIENCE_FOR_THE_ONLY }
    }

    /// Host and port of the one at this place.
    fn authority(&self, peer: usize) -> io::Result<(String, u16)> {
        let parts = Url::parse(self.base(peer)).ok().and_then(|url| {
            let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
            Some((host, url.port_or_known_default()?))
        });
        parts.ok_or_else(|| io::Error::other(format!("{:?} is no host and port", self.base(peer))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers() -> Peers {
        Peers::new(["10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.2:8001", "node:8000"], None)
    }

    fn check(url: &str, expected: Option<usize>) {
        assert_eq!(peers().find(url), expected, "{url}");
    }

    #[test]
    fn a_leader_is_found_among_the_peers_only() {
        check("http://10.0.0.2:8001", Some(2));
        check("https://10.0.0.2:8000/", Some(1));
        check("http://10.0.0.1:9999", Some(0));
        check("http://NODE:8000", Some(3));
        check("http://10.0.0.3:8000", None);
        check("10.0.0.1:8000", None);
        check("", None);
    }

    #[test]
    fn the_one_that_works_is_kept_until_it_fails() {
        let peers = peers();
        peers.keep(3);
        assert_eq!(peers.clone().in_order().collect::<Vec<_>>(), [3, 0, 1, 2]);
        peers.pass_over(1);
        assert_eq!(peers.current(), 3);
        peers.pass_over(3);
        assert_eq!(peers.current(), 0);
    }
}
