//! Certificates and a key as PEM text (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::IdentityError;

/// How long the lines are.
const LINE_BYTES: usize = 64;

/// Certificates and the key that belongs to the first of them. What is between the parts of a text does not count.
pub(super) struct Pem {
    /// At least one.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// As PKCS #8.
    pub(super) key: PrivatePkcs8KeyDer<'static>,
}

impl Pem {
    /// Reads `text`, which is `what`.
    pub(super) fn parse(text: &str, what: &'static str) -> Result<Self, IdentityError> {
        let unusable = |reason: String| IdentityError::Unusable { what, reason };
        let certificates = certificates(text, what)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
            .map_err(|error| unusable(format!("no private key (PKCS #8) can be read: {error}")))?;
        Ok(Self { certificates, key })
    }
}

/// The certificates in `text`, of which there is at least one.
pub(super) fn certificates(
    text: &str,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let unusable = |reason: String| IdentityError::Unusable { what, reason };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable("it has no certificate".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(format!("a certificate cannot be read: {error}"))),
    }
}

/// `certificate` as text.
pub(crate) fn certificate_text(certificate: &CertificateDer<'_>) -> String {
    encode("CERTIFICATE", certificate)
}

/// `key` as text.
pub(super) fn key_text(key: &[u8]) -> String {
    encode("PRIVATE KEY", key)
}

/// `content` as the part of a text that is called `label`.
pub(crate) fn encode(label: &str, content: &[u8]) -> String {
    let content = STANDARD.encode(content);
    let mut text = format!("-----BEGIN {label}-----\n");
    for start in (0..content.len()).step_by(LINE_BYTES) {
        text.push_str(&content[start..content.len().min(start + LINE_BYTES)]);
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
