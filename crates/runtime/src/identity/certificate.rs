//! What certificates of a platform have in common.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType};
use rustls::crypto::CryptoProvider;
use time::{Duration, OffsetDateTime};

/// The cryptography of all connections between components; the same whatever else a process has installed.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate's content for `subject`, valid `before` the time `now` already, so that hosts whose clocks are behind
/// believe it too, and until `until`.
pub(super) fn params(
    subject: &str,
    now: OffsetDateTime,
    before: Duration,
    until: OffsetDateTime,
) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.not_before = now.saturating_sub(before);
    params.not_after = until;
    params.use_authority_key_identifier_extension = true;
    params
}
