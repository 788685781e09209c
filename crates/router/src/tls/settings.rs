//! What operators set of TLS, as the library wants it.

use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use deis_model::routing::TlsSettings;

/// The versions that are spoken.
pub(super) fn versions(settings: &TlsSettings) -> Vec<&'static SupportedProtocolVersion> {
    let versions = [(&TLS13, settings.versions.tls13), (&TLS12, settings.versions.tls12)];
    versions.into_iter().filter_map(|(version, is_spoken)| is_spoken.then_some(version)).collect()
}

/// Cryptography with the suites that are set, in that order. Those of TLS 1.3 stay as they are unless one of them is
/// named, as with OpenSSL's setting of that kind; likewise those of TLS 1.2.
pub(super) fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = ring::default_provider();
    // As strong as anybody needs, and what comes with the longer keys costs a handshake twice as much.
    provider
        .cipher_suites
        .sort_by_key(|suite| !suite.suite().as_str().is_some_and(|name| name.contains("AES_128")));
    if settings.ciphers.is_empty() {
        return provider;
    }
    let all = std::mem::take(&mut provider.cipher_suites);
    let is_named = |suite: &&SupportedCipherSuite| {
        suite.suite().as_str().is_some_and(|name| settings.ciphers.contains(&name))
    };
    for version in [&TLS13, &TLS12] {
        let of_version = || all.iter().filter(|suite| suite.version() == version);
        let mut named: Vec<_> = of_version().filter(is_named).copied().collect();
        named.sort_by_key(|suite| {
            settings.ciphers.iter().position(|name| suite.suite().as_str() == Some(name))
        });
        let suites = if named.is_empty() { of_version().copied().collect() } else { named };
        provider.cipher_suites.extend(suites);
    }
    provider
}

#[cfg(test)]
mod tests {
    use super::*;
    use deis_model::routing::{MeshSettings, TlsVersions};

    fn check(value: &str, expected: &[&str]) {
        let settings = [("sslCiphers".to_owned(), value.to_owned())].into();
        let suites = provider(&MeshSettings::parse(&settings).unwrap().tls).cipher_suites;
        let names: Vec<_> = suites.iter().map(|suite| suite.suite().as_str().unwrap()).collect();
        assert_eq!(names, expected, "{value:?}");
    }

    #[test]
    fn suites_of_the_version_that_is_not_named_stay() {
        let tls_13 =
            ["TLS13_AES_128_GCM_SHA256", "TLS13_AES_256_GCM_SHA384", "TLS13_CHACHA20_POLY1305_SHA256"];
        let two = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];
        let expected: Vec<_> = tls_13.into_iter().chain(two).collect();
        check("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", &expected);
        let suites = provider(&TlsSettings::default()).cipher_suites;
        let all: Vec<_> = suites.iter().map(|suite| suite.suite().as_str().unwrap()).collect();
        let tls_12 = all.into_iter().filter(|name| !name.starts_with("TLS13"));
        let expected: Vec<_> = [tls_13[2]].into_iter().chain(tls_12).collect();
        check("TLS_CHACHA20_POLY1305_SHA256", &expected);
    }

    #[test]
    fn what_costs_less_comes_first_unless_somebody_chose() {
        let suites = provider(&TlsSettings::default()).cipher_suites;
        assert_eq!(suites.len(), ring::ALL_CIPHER_SUITES.len());
        assert_eq!(suites[0].suite().as_str(), Some("TLS13_AES_128_GCM_SHA256"));
    }

    #[test]
    fn only_the_versions_that_are_set_are_spoken() {
        let check = |tls12, tls13, expected: &[&'static SupportedProtocolVersion]| {
            let settings = TlsSettings { versions: TlsVersions { tls12, tls13 }, ..TlsSettings::default() };
            assert_eq!(versions(&settings), expected);
        };
        check(true, true, &[&TLS13, &TLS12]);
        check(true, false, &[&TLS12]);
        check(false, true, &[&TLS13]);
    }
}
