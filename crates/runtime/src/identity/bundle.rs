//! What makes a process a role: the file that is given to this role's containers alone.

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::pem::{self, Pem};
use super::{IdentityError, name};

const WHAT: &str = "an identity bundle";

/// A role's intermediate CA with its key, and the roots that the role believes. No `Debug`: it holds a key.
pub struct IdentityBundle {
    role: String,
    /// Unix time in seconds.
    pub(super) expires: u64,
    pub(super) intermediate: CertificateDer<'static>,
    pub(super) key: PrivatePkcs8KeyDer<'static>,
    /// At least one.
    pub(super) roots: Vec<CertificateDer<'static>>,
}

impl IdentityBundle {
    /// Reads what [`IdentityBundle::to_pem`] gave.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let Pem { mut certificates, key } = Pem::parse(text, WHAT)?;
        let intermediate = certificates.remove(0);
        Self::new(intermediate, key, certificates)
    }

    pub(super) fn new(
        intermediate: CertificateDer<'static>,
        key: PrivatePkcs8KeyDer<'static>,
        roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, IdentityError> {
        if roots.is_empty() {
            return Err(unusable("it has no root certificate"));
        }
        let (_, parsed) = x509_parser::parse_x509_certificate(&intermediate)
            .map_err(|_| unusable("its first certificate cannot be read"))?;
        let role = role(&parsed).ok_or_else(|| unusable("its first certificate is no role's"))?;
        let expires = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        Ok(Self { role, expires, intermediate, key, roots })
    }

    /// The intermediate certificate, its key, the roots: text for a file that only this role's containers get.
    pub fn to_pem(&self) -> String {
        let until = OffsetDateTime::from(self.expires()).date();
        let roots = self.roots.iter().map(pem::certificate_text);
        format!("Identity of the {}, for its containers alone; valid until {until}.\n", self.role)
            + &pem::certificate_text(&self.intermediate)
            + &pem::key_text(self.key.secret_pkcs8_der())
            + &roots.collect::<String>()
    }

    /// Whose it is.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Until when it is valid.
    pub fn expires(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }
}

/// The role that the certificate may name: its only permitted domain.
fn role(certificate: &X509Certificate<'_>) -> Option<String> {
    let constraints = certificate.name_constraints().ok()??.value;
    match constraints.permitted_subtrees.as_deref()? {
        [only] => match only.base {
            GeneralName::DNSName(domain) => name::role_of_domain(domain).map(str::to_owned),
            _ => None,
        },
        _ => None,
    }
}

fn unusable(reason: &str) -> IdentityError {
    IdentityError::Unusable { what: WHAT, reason: reason.to_owned() }
}
