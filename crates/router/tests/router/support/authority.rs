//! A certificate authority of a test's own.

use std::time::{Duration, SystemTime};

use deis_model::KeyPair;
use rcgen::KeyPair as Key;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, Key>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        // Another name than its certificates have: some take one that names itself for self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = Key::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    /// What clients trust: DER.
    pub(crate) fn root(&self) -> rustls::pki_types::CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// What clients trust: PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for `names`, valid for some days from now on.
    pub(crate) fn certify(&self, names: &[&str]) -> KeyPair {
        self.certify_for(names, Duration::from_secs(30 * 24 * 60 * 60))
    }

    /// The same, valid until `left` from now.
    pub(crate) fn certify_for(&self, names: &[&str], left: Duration) -> KeyPair {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        params.not_before = (SystemTime::now() - day * 400).into();
        params.not_after = (SystemTime::now() + left).into();
        self.sign(params)
    }

    /// A certificate for `names` that has expired.
    pub(crate) fn expired(&self, names: &[&str]) -> KeyPair {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        params.not_before = (SystemTime::now() - day * 2).into();
        params.not_after = (SystemTime::now() - day).into();
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> KeyPair {
        let key = Key::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        KeyPair { chain: certificate.pem(), key: key.serialize_pem() }
    }
}
