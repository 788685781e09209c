//! Certificates: asked for, and looked at before anybody serves them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deis_model::acme::{Validity, covers};
use instant_acme::CertificateIdentifier;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;

/// Why what an authority issued is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum IssuedError {
    #[error("the certificate authority issued something that is no certificate")]
    Unreadable,
    #[error("the certificate authority issued a certificate for another key")]
    Key,
    #[error("the certificate authority issued a certificate for another name")]
    Name,
    #[error(
        "the certificate authority issued a certificate that is not valid now; is this host's clock right?"
    )]
    Time,
}

/// The request for a certificate for `host`, in DER. Source: RFC 8555 section 7.4.
pub(super) fn request(host: &str, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut request = CertificateParams::new([host.to_owned()])?;
    request.distinguished_name = DistinguishedName::new();
    Ok(request.serialize_request(key)?.der().to_vec())
}

/// When the first certificate of `chain`, in PEM, is valid. It must be for `host` and `key`, and valid `now`.
pub(super) fn check(
    chain: &str,
    host: &str,
    key: &KeyPair,
    now: OffsetDateTime,
) -> Result<Validity, IssuedError> {
    let first = Pem::iter_from_buffer(chain.as_bytes()).next().and_then(Result::ok);
    let first = first.ok_or(IssuedError::Unreadable)?;
    let certificate = first.parse_x509().map_err(|_| IssuedError::Unreadable)?;
    if certificate.public_key().raw != key.subject_public_key_info() {
        return Err(IssuedError::Key);
    }
    if !names(&certificate).iter().any(|name| covers(name, host)) {
        return Err(IssuedError::Name);
    }
    let validity = Validity {
        not_before: certificate.validity().not_before.to_datetime(),
        not_after: certificate.validity().not_after.to_datetime(),
    };
    match validity.is_over(now) {
        true => Err(IssuedError::Time),
        false => Ok(validity),
    }
}

/// The names that the first certificate of `chain` is for; none if it cannot be read.
pub(super) fn covered(chain: &str) -> Vec<String> {
    let first = Pem::iter_from_buffer(chain.as_bytes()).next().and_then(Result::ok);
    let read = |pem: &Pem| pem.parse_x509().ok().map(|certificate| names(&certificate));
    first.as_ref().and_then(read).unwrap_or_default()
}

/// What the first certificate of `chain` is called at its authority; none if it cannot be called so. Source: RFC 9773
/// section 4.1.
pub(super) fn identifier(chain: &str) -> Option<CertificateIdentifier<'static>> {
    let first = Pem::iter_from_buffer(chain.as_bytes()).next()?.ok()?;
    let certificate = first.parse_x509().ok()?;
    let authority = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(found) => found.key_identifier.as_ref(),
        _ => None,
    });
    let encode = |bytes: &[u8]| Cow::Owned(URL_SAFE_NO_PAD.encode(bytes));
    Some(CertificateIdentifier {
        authority_key_identifier: encode(authority?.0),
        serial: encode(certificate.raw_serial()),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |found| &found.value.general_names);
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    names.iter().filter_map(dns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_issued(host: &str, is_own: bool, now: i64, expected: &str) {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(["www.example.com".to_owned()]).unwrap();
        params.not_before = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(2_000_000).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let now = OffsetDateTime::from_unix_timestamp(now).unwrap();
        let found = match check(&pem, host, if is_own { &key } else { &other }, now) {
            Ok(validity) => validity.not_after.unix_timestamp().to_string(),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_was_asked_for_is_served() {
        check_issued("www.example.com", true, 1_500_000, "2000000");
        check_issued("www.example.com", true, 2_000_000, "Time");
        check_issued("www.example.com", false, 1_500_000, "Key");
        check_issued("example.com", true, 1_500_000, "Name");
        let key = KeyPair::generate().unwrap();
        assert!(matches!(check("", "a.b", &key, OffsetDateTime::UNIX_EPOCH), Err(IssuedError::Unreadable)));
    }
}
