//! Who is at the other end of a connection.

use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::name;

/// The other end of a connection, as its verified certificate says. In the extensions of every request that came over
/// mutual TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    role: String,
    host: String,
}

impl Peer {
    /// Whoever is at the other end of a connection whose handshake is done.
    pub fn of(connection: &CommonState) -> Option<Self> {
        connection.peer_certificates()?.first().and_then(Self::named_by)
    }

    /// Its role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Whether it is `role`.
    pub fn is(&self, role: impl AsRef<str>) -> bool {
        self.role == role.as_ref()
    }

    /// Whether it is on `host`, by the name that it gave for itself.
    pub fn is_on(&self, host: &str) -> bool {
        self.host == name::host_label(host)
    }

    /// Whom `certificate` names, which must be exactly one of this kind.
    pub(super) fn named_by(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        let mut names = certificate.valid_dns_names();
        let (only, None) = (names.next()?, names.next()) else { return None };
        let (host, role) = name::split(only)?;
        Some(Self { role: role.to_owned(), host: host.to_owned() })
    }
}
