//! One certificate with its key, read from PEM.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use deis_model::KeyPair;

/// The most certificates in one chain: real ones have up to four.
const LONGEST_CHAIN: usize = 16;

/// A certificate that can be shown to visitors.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The chain, the key, and what the authority says of the certificate if that was given.
    pub(crate) key: Arc<CertifiedKey>,
    /// In lower case; the first label may be `*`.
    names: Vec<Box<str>>,
    begins: SystemTime,
    ends: SystemTime,
}

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    /// Not PEM, or a block that does not end.
    #[error("failed to read the certificate's PEM blocks")]
    Pem(#[source] x509_parser::error::PEMError),
    /// No block of a certificate.
    #[error("there is no certificate among the PEM blocks")]
    NoCertificate,
    /// More than any authority gives.
    #[error("the chain has more than {LONGEST_CHAIN} certificates")]
    LongChain,
    /// The first certificate is not X.509.
    #[error("failed to read the certificate: it is not X.509")]
    NotX509,
    /// No block of a key, or one that is encrypted.
    #[error(
        "there is no private key among the PEM blocks: it must be PKCS #8, PKCS #1 or SEC 1, not encrypted"
    )]
    NoKey,
    /// The key is of an unknown kind, or of another certificate.
    #[error("failed to use the private key with the certificate")]
    Key(#[source] rustls::Error),
}

impl Pair {
    /// Reads `source`.
    ///
    /// Besides certificates the chain may hold a block `OCSP RESPONSE`: what the authority says of the certificate,
    /// as DER. It is shown along with it.
    pub(crate) fn parse(source: &KeyPair, provider: &CryptoProvider) -> Result<Self, PairError> {
        let key = read(source, provider)?;
        key.keys_match().map_err(PairError::Key)?;
        let leaf = key.end_entity_cert().map_err(|_| PairError::NoCertificate)?;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| PairError::NotX509)?;
        let (names, validity) = (names(&leaf), leaf.validity());
        let (begins, ends) = (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
        Ok(Self { key: Arc::new(key), names, begins, ends })
    }

    /// The names it is for.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Whether it is for `host`, which is in lower case. A `*` stands for one label. Source: RFC 6125 section 6.4.3.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names().any(|name| name == host || (parent.is_some() && name.strip_prefix("*.") == parent))
    }

    /// Whether it counts at this time.
    pub(crate) fn is_valid_at(&self, now: SystemTime) -> bool {
        (self.begins..=self.ends).contains(&now)
    }

    /// Until when it counts.
    pub(crate) fn ends(&self) -> SystemTime {
        self.ends
    }

    /// Whether a client that understands `schemes` can check signatures of its key.
    pub(crate) fn suits(&self, schemes: &[SignatureScheme]) -> bool {
        self.key.key.choose_scheme(schemes).is_some()
    }
}

/// `*.example.com` for `www.example.com`; none for a name without a dot.
pub(crate) fn wildcard(host: &str) -> Option<String> {
    host.split_once('.').map(|(_, rest)| format!("*.{rest}"))
}

/// Reads a pair made for a certificate authority's challenge. Such a certificate must hold what no other verifier
/// accepts, so all that is checked is that it can be shown. Source: RFC 8737 section 3.
pub(crate) fn read_challenge(source: &KeyPair) -> Result<CertifiedKey, PairError> {
    read(source, &rustls::crypto::ring::default_provider())
}

fn read(source: &KeyPair, provider: &CryptoProvider) -> Result<CertifiedKey, PairError> {
    let (chain, ocsp) = read_chain(&source.chain)?;
    if chain.is_empty() {
        return Err(PairError::NoCertificate);
    }
    let key = provider.key_provider.load_private_key(read_key(&source.key)?).map_err(PairError::Key)?;
    Ok(CertifiedKey { cert: chain, key, ocsp })
}

type Chain = (Vec<CertificateDer<'static>>, Option<Vec<u8>>);

fn read_chain(text: &str) -> Result<Chain, PairError> {
    let (mut chain, mut ocsp) = (Vec::new(), None);
    for block in Pem::iter_from_buffer(text.as_bytes()) {
        let block = block.map_err(PairError::Pem)?;
        match block.label.as_str() {
            "CERTIFICATE" => chain.push(block.contents.into()),
            "OCSP RESPONSE" => ocsp = Some(block.contents),
            _ => {}
        }
        if chain.len() > LONGEST_CHAIN {
            return Err(PairError::LongChain);
        }
    }
    Ok((chain, ocsp))
}

fn read_key(text: &str) -> Result<PrivateKeyDer<'static>, PairError> {
    let blocks = Pem::iter_from_buffer(text.as_bytes()).filter_map(Result::ok);
    let key = |block: Pem| match block.label.as_str() {
        "PRIVATE KEY" => Some(PrivatePkcs8KeyDer::from(block.contents).into()),
        "RSA PRIVATE KEY" => Some(PrivatePkcs1KeyDer::from(block.contents).into()),
        "EC PRIVATE KEY" => Some(PrivateSec1KeyDer::from(block.contents).into()),
        _ => None,
    };
    blocks.filter_map(key).next().ok_or(PairError::NoKey)
}

/// The DNS names among the alternative ones; without any, the common name, as certificates of old have it.
fn names(certificate: &X509Certificate<'_>) -> Vec<Box<str>> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let general = alternative.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let dns = general.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(normal(name)),
        _ => None,
    });
    let dns: Vec<_> = dns.collect();
    if !dns.is_empty() {
        return dns;
    }
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    common.map(normal).collect()
}

fn normal(name: &str) -> Box<str> {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into_boxed_str()
}

fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
