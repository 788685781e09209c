//! Which certificate a client is shown.
//!
//! 1. One of the app's that answers for the host: valid now before expired, for the very name before a wildcard, then
//!    the one that ends last.
//! 2. The platform's. It also comes before an app's that is expired, if it is valid and for that host.
//! 3. None: the handshake is refused with the alert `unrecognized_name`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificates::Wish;
use super::pair::Pair;
use crate::host::Host;
use crate::table::Table;

/// The certificate of `table` for `wish`, whose host is empty if the client names none.
pub(crate) fn choose<'a>(table: &'a Table, wish: &Wish<'_>) -> Option<&'a Arc<Pair>> {
    let platform = table.platform_certificate.usable();
    let own = table.find(wish.host).and_then(|service| service.certificates.find(wish));
    match (own, platform) {
        (Some(own), Some(platform)) if !own.is_valid_at(wish.now) => {
            let is_better = platform.is_valid_at(wish.now) && platform.covers(wish.host);
            Some(if is_better { platform } else { own })
        }
        (own, platform) => own.or(platform),
    }
}

/// Resolves by the table in force.
pub(crate) struct Resolver(pub(crate) Arc<ArcSwap<Table>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = host(&hello);
        let schemes = Some(hello.signature_schemes());
        let wish = Wish { host: host.as_str(), schemes, now: std::time::SystemTime::now() };
        choose(&self.0.load(), &wish).map(|pair| Arc::clone(&pair.key))
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// Resolves what certificate authorities ask for. Source: RFC 8737 section 3.
pub(crate) struct ChallengeResolver(pub(crate) Arc<ArcSwap<Table>>);

impl ResolvesServerCert for ChallengeResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().challenges.certificate(host(&hello).as_str()).cloned()
    }
}

impl std::fmt::Debug for ChallengeResolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ChallengeResolver").finish_non_exhaustive()
    }
}

/// The host that the client names; the empty one if none.
pub(crate) fn host(hello: &ClientHello<'_>) -> Host {
    let name = hello.server_name().unwrap_or_default();
    Host::parse(name.as_bytes()).unwrap_or_default()
}
