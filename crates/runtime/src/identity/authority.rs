//! A platform's root: who is believed to belong to it.

use std::net::{Ipv4Addr, Ipv6Addr};

use rand::RngCore;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

use super::bundle::IdentityBundle;
use super::certificate::params;
use super::pem::{self, Pem};
use super::{IdentityError, name};

/// How long a root is valid.
pub const ROOT_DAYS: i64 = 20 * 365;

/// How long a role's intermediate certificate is valid; processes warn of its end in good time.
pub const ROLE_DAYS: i64 = 5 * 365;

/// For how long before they were made roots and intermediates are valid: clocks of hosts differ.
const BACKDATED: Duration = Duration::DAY;

/// A platform's root certificate with its key, and other roots that are believed besides. No `Debug`: it holds a key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    trusted: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// A new root, unlike any other.
    pub fn create() -> Result<Self, IdentityError> {
        let making = |source| IdentityError::Make { what: "a root certificate", source };
        let key = KeyPair::generate().map_err(making)?;
        let now = OffsetDateTime::now_utc();
        let mut params = params(&unique("root"), now, BACKDATED, now + Duration::days(ROOT_DAYS));
        make_authority(&mut params, 1);
        let certificate = params.self_signed(&key).map_err(making)?;
        Ok(Self { certificate: certificate.into(), key, trusted: Vec::new() })
    }

    /// Reads what [`Authority::to_pem`] gave.
    pub fn from_pem(text: &str) -> Result<Self, IdentityError> {
        const WHAT: &str = "the platform's authority";
        let mut pem = Pem::parse(text, WHAT)?;
        let unusable =
            |error: rcgen::Error| IdentityError::Unusable { what: WHAT, reason: error.to_string() };
        let key = KeyPair::try_from(&pem.key).map_err(unusable)?;
        let certificate = pem.certificates.remove(0);
        Issuer::from_ca_cert_der(&certificate, &key).map_err(unusable)?;
        Ok(Self { certificate, key, trusted: pem.certificates })
    }

    /// The root, its key, and other roots that are believed. A secret.
    pub fn to_pem(&self) -> String {
        let trusted = self.trusted.iter().map(pem::certificate_text);
        self.root() + &pem::key_text(self.key.serialized_der()) + &trusted.collect::<String>()
    }

    /// The root certificate as PEM; no secret.
    pub fn root(&self) -> String {
        pem::certificate_text(&self.certificate)
    }

    /// Has bundles that are issued from now on believe those of `root` (PEM) as well, to replace one root by another.
    pub fn trust(&mut self, root: &str) -> Result<(), IdentityError> {
        for certificate in pem::certificates(root, "another root certificate")? {
            if certificate != self.certificate && !self.trusted.contains(&certificate) {
                self.trusted.push(certificate);
            }
        }
        Ok(())
    }

    /// What makes a process `role`: `controller`, `database`, `deisctl` or any other name.
    pub fn issue(&self, role: impl AsRef<str>) -> Result<IdentityBundle, IdentityError> {
        let role = role.as_ref();
        if !name::is_role(role) {
            return Err(IdentityError::Role(role.to_owned()));
        }
        let making = |source| IdentityError::Make { what: "a role's certificate", source };
        let root = Issuer::from_ca_cert_der(&self.certificate, &self.key).map_err(making)?;
        let key = KeyPair::generate().map_err(making)?;
        let now = OffsetDateTime::now_utc();
        let mut params = params(&unique(role), now, BACKDATED, now + Duration::days(ROLE_DAYS));
        make_authority(&mut params, 0);
        params.name_constraints = Some(only_names_of(role));
        let certificate = params.signed_by(&key, &root).map_err(making)?;
        let roots = std::iter::once(&self.certificate).chain(&self.trusted).cloned().collect();
        IdentityBundle::new(certificate.into(), key.serialize_der().into(), roots)
    }
}

/// Makes of `params` a CA that may have `below` further ones below it.
fn make_authority(params: &mut CertificateParams, below: u8) {
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
}

/// Names of `role` only, and no addresses.
fn only_names_of(role: &str) -> NameConstraints {
    let every_address = [
        CidrSubnet::from_addr_prefix(Ipv4Addr::UNSPECIFIED.into(), 0),
        CidrSubnet::from_addr_prefix(Ipv6Addr::UNSPECIFIED.into(), 0),
    ];
    NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(name::role_domain(role))],
        excluded_subtrees: every_address.map(GeneralSubtree::IpAddress).to_vec(),
    }
}

/// A subject that no other authority has, so that a chain leads one way only.
fn unique(of: &str) -> String {
    let mut bytes = [0_u8; 8];
    rand::rng().fill_bytes(&mut bytes);
    format!("Deis {of} {}", hex::encode(bytes))
}
