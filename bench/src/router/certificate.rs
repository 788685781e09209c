//! The certificate that every router shows: ECDSA, as automatic ones are.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A certificate for all apps, vouched for by an authority that nobody knows.
#[derive(Clone)]
pub(super) struct Certificate {
    /// PEM.
    pub(super) chain: String,
    /// PEM.
    pub(super) key: String,
}

impl Certificate {
    /// A new one.
    pub(super) fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = Issuer::new(authority, KeyPair::generate().expect("a key can be made"));
        let key = KeyPair::generate().expect("a key can be made");
        let names = ["*.example.com".to_owned()];
        let params = CertificateParams::new(names).expect("the name is one");
        let certificate = params.signed_by(&key, &authority).expect("the authority signs");
        Self { chain: certificate.pem(), key: key.serialize_pem() }
    }
}
