//! The certificate that every router shows: ECDSA, as automatic ones are.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A certificate for all apps.
#[derive(Clone)]
pub(super) struct Certificate {
    /// PEM.
    pub(super) chain: String,
    /// PEM.
    pub(super) key: String,
    /// Who vouches for it. PEM.
    pub(super) authority: String,
}

impl Certificate {
    /// A new one.
    pub(super) fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key can be made");
        let authority_certificate = authority.self_signed(&authority_key).expect("a key signs");
        let authority = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().expect("a key can be made");
        let names = ["*.example.com".to_owned(), super::host(0)];
        let params = CertificateParams::new(names).expect("the name is one");
        let certificate = params.signed_by(&key, &authority).expect("the authority signs");
        Self { chain: certificate.pem(), key: key.serialize_pem(), authority: authority_certificate.pem() }
    }
}
