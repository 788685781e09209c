//! A certificate with its key, as somebody uploads them: checked before anybody serves with them.
//!
//! What is wrong is said so that whoever holds the files can mend them. What is only out of order is put in order.

mod chain;
mod error;

use deis_model::KeyPair;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use crate::identity::pem::{certificate_text, encode};
use chain::Chain;
pub use error::PairError;

/// How many certificates a chain has at most.
pub const MAX_CERTIFICATES: usize = 10;

/// What the block is called that holds an authority's word on a certificate, as DER.
const STATUS: &str = "OCSP RESPONSE";

/// A pair that can be served with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPair {
    /// The certificate first, each next one vouching for the one before, and what the authority says of it (a block
    /// `OCSP RESPONSE`) if it was given; then the key.
    pub pair: KeyPair,
    /// The common name in the certificate's subject, if it has one.
    pub common_name: Option<String>,
    /// The host names that it is for, in lower case, sorted; the first label may be `*`. Where it names none in the way
    /// of today, its common name. May be empty: certificates may be for addresses.
    pub names: Vec<String>,
    /// The last second in which it is valid.
    pub expires: OffsetDateTime,
}

/// Checks the PEM texts of a chain and its `key` as of `now`: that the key is one that can be used and the certificate's own,
/// that the other certificates vouch for it, and that all are valid.
pub fn check(text: &str, key: &str, now: OffsetDateTime) -> Result<CheckedPair, PairError> {
    let key = read_key(key)?;
    let signing = any_supported_type(&key).map_err(|_| PairError::KeyKind)?;
    let certificates = read_chain(text)?;
    let parsed = certificates.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let leaf = parsed.iter().position(|certificate| is_of(certificate, &*signing));
    let leaf = leaf.ok_or_else(|| PairError::OtherKey { name: subject(&parsed[0]) })?;
    let chain = Chain::from(&parsed, leaf)?;
    chain.0.iter().try_for_each(|index| check_validity(&parsed[*index], now))?;
    check_purpose(&parsed[leaf])?;
    let texts = chain.0.iter().map(|index| certificate_text(&certificates[*index]));
    Ok(CheckedPair {
        pair: KeyPair { chain: texts.chain(status(text)).collect(), key: key_text(&key) },
        common_name: common_name(&parsed[leaf]),
        names: names(&parsed[leaf]),
        expires: parsed[leaf].validity().not_after.to_datetime(),
    })
}

fn read_key(text: &str) -> Result<PrivateKeyDer<'static>, PairError> {
    if text.contains("ENCRYPTED") {
        return Err(PairError::KeyEncrypted);
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| PairError::KeyUnreadable)
}

fn key_text(key: &PrivateKeyDer<'_>) -> String {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    encode(label, key.secret_der())
}

fn read_chain(text: &str) -> Result<Vec<CertificateDer<'static>>, PairError> {
    let unreadable = |reason: String| PairError::ChainUnreadable { reason };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Err(error) => Err(unreadable(error.to_string())),
        Ok(found) if found.is_empty() => Err(unreadable("there is none in PEM form".to_owned())),
        Ok(found) if found.len() > MAX_CERTIFICATES => {
            Err(unreadable(format!("there are more than {MAX_CERTIFICATES}")))
        }
        Ok(found) => Ok(found),
    }
}

/// What the authority says of the certificate, to be shown along with it: the last block of that kind.
fn status(text: &str) -> Option<String> {
    let blocks = Pem::iter_from_buffer(text.as_bytes()).filter_map(Result::ok);
    let status = blocks.filter(|block| block.label == STATUS).last()?;
    Some(encode(STATUS, &status.contents))
}

fn parse<'a>(certificate: &'a CertificateDer<'static>) -> Result<X509Certificate<'a>, PairError> {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) => Ok(parsed),
        Err(error) => Err(PairError::ChainUnreadable { reason: error.to_string() }),
    }
}

fn is_of(certificate: &X509Certificate<'_>, key: &dyn SigningKey) -> bool {
    key.public_key().is_some_and(|public| public.as_ref() == certificate.public_key().raw)
}

fn check_validity(certificate: &X509Certificate<'_>, now: OffsetDateTime) -> Result<(), PairError> {
    let (name, validity) = (subject(certificate), certificate.validity());
    let (begins, expires) = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
    match () {
        () if now > expires => Err(PairError::Expired { name, expires }),
        () if now < begins => Err(PairError::Early { name, begins }),
        () => Ok(()),
    }
}

/// Certificates that say what they are for must be for servers.
fn check_purpose(certificate: &X509Certificate<'_>) -> Result<(), PairError> {
    match certificate.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.server_auth && !usage.value.any => {
            Err(PairError::Purpose { name: subject(certificate) })
        }
        _ => Ok(()),
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = match alternatives {
        Some(alternatives) => {
            let names = alternatives.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            });
            names.collect()
        }
        None => common_name(certificate).map(|name| name.to_ascii_lowercase()).into_iter().collect(),
    };
    names.sort();
    names.dedup();
    names
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    names.next().and_then(|name| name.as_str().ok()).map(str::to_owned).filter(|name| !name.is_empty())
}

/// What a certificate is called when something is wrong with it.
fn subject(certificate: &X509Certificate<'_>) -> String {
    let subject = certificate.subject().to_string();
    match subject.is_empty() {
        true => names(certificate).first().cloned().unwrap_or_else(|| "without a name".to_owned()),
        false => subject,
    }
}

#[cfg(test)]
mod tests;
