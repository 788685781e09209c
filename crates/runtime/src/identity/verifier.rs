//! Judging the other end of a connection that begins.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

use super::certificate::provider;
use super::keeper::Keeper;
use super::peer::Peer;

/// Believes whoever the roots of this moment vouch for, and of servers only those of one role.
#[derive(Debug)]
pub(super) struct Verifier {
    keeper: Arc<Keeper>,
    role: Option<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Why a certificate that holds is still not believed.
#[derive(thiserror::Error)]
enum Stranger {
    #[error("the certificate names nobody of this platform")]
    Unnamed,
    #[error("it is a {found} where a {expected} was expected")]
    OtherRole { found: String, expected: String },
}

/// As it reads: `rustls` puts this form into its messages.
impl fmt::Debug for Stranger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Verifier {
    /// Believes any role.
    pub(super) fn of_any(keeper: Arc<Keeper>) -> Self {
        Self { keeper, role: None, algorithms: provider().signature_verification_algorithms }
    }

    /// Believes `role` only.
    pub(super) fn of_role(keeper: Arc<Keeper>, role: &str) -> Self {
        Self { role: Some(role.to_owned()), ..Self::of_any(keeper) }
    }

    fn recognize(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let peer = Peer::named_by(certificate).ok_or_else(|| refused(Stranger::Unnamed))?;
        match &self.role {
            Some(expected) if !peer.is(expected) => Err(refused(Stranger::OtherRole {
                found: peer.role().to_owned(),
                expected: expected.clone(),
            })),
            _ => Ok(()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    /// The name is not judged: an address says where somebody is, the certificate who it is.
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let roots = &self.keeper.current().roots;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, self.algorithms.all)?;
        self.recognize(certificate)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    /// No hints: clients have one certificate.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.keeper.current().clients.verify_client_cert(certificate, intermediates, now)?;
        self.recognize(certificate)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn refused(stranger: Stranger) -> Error {
    CertificateError::Other(OtherError(Arc::new(stranger))).into()
}
