//! The certificate that a process shows: short-lived, made by itself.

use std::sync::Arc;

use rcgen::{ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use time::{Duration, OffsetDateTime};

use super::bundle::IdentityBundle;
use super::certificate::{params, provider};
use super::{IdentityError, name};

/// How long a leaf is valid. It is renewed at half of that.
pub const LEAF_SECONDS: u64 = 24 * 60 * 60;

/// For how long before it was made a leaf is valid: the most by which a host's clock may be behind another's.
pub const SKEW_SECONDS: u64 = 60 * 60;

/// What a process shows, and by what it judges others.
pub(super) struct Leaf {
    /// The leaf, the intermediate and the leaf's key.
    pub(super) shown: Arc<CertifiedKey>,
    /// The leaf's key once more, for programs that read files.
    pub(super) key: PrivatePkcs8KeyDer<'static>,
    /// Who is believed.
    pub(super) roots: Arc<RootCertStore>,
    /// Judges clients by the roots.
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    /// When the bundle it was made of ends; Unix time in seconds.
    pub(super) expires: u64,
    made: u64,
    ends: u64,
}

impl Leaf {
    /// Makes one for `host`. Fails if nobody would believe it.
    pub(super) fn issue(bundle: &IdentityBundle, host: &str, now: UnixTime) -> Result<Self, IdentityError> {
        let roots = Arc::new(roots(bundle)?);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
            .build()
            .map_err(|error| unusable(&error))?;
        let made = now.as_secs();
        let ends = bundle.expires.min(made + LEAF_SECONDS);
        let (shown, key) = sign(bundle, host, moment(made)?, moment(ends)?)?;
        let leaf = Self { shown: Arc::new(shown), key, roots, clients, expires: bundle.expires, made, ends };
        let unproven = |source| IdentityError::Unproven { role: bundle.role().to_owned(), source };
        leaf.prove(now).map_err(unproven)?;
        Ok(leaf)
    }

    /// Whether it is time for another: half of its time has passed, or the clock was set back.
    pub(super) fn is_due(&self, now: UnixTime) -> bool {
        let half = self.made + self.ends.saturating_sub(self.made) / 2;
        now.as_secs() >= half || now.as_secs() + SKEW_SECONDS < self.made
    }

    /// Judges it as others will.
    fn prove(&self, now: UnixTime) -> Result<(), rustls::Error> {
        let [leaf, intermediates @ ..] = self.shown.cert.as_slice() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        self.clients.verify_client_cert(leaf, intermediates, now)?;
        self.shown.keys_match()
    }
}

fn sign(
    bundle: &IdentityBundle,
    host: &str,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<(CertifiedKey, PrivatePkcs8KeyDer<'static>), IdentityError> {
    let making = |source| IdentityError::Make { what: "a certificate for this process", source };
    let role_key = KeyPair::try_from(&bundle.key).map_err(making)?;
    let issuer = Issuer::from_ca_cert_der(&bundle.intermediate, role_key).map_err(making)?;
    let name = name::full_name(host, bundle.role());
    let mut params = params(bundle.role(), now, Duration::seconds(SKEW_SECONDS.cast_signed()), until);
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().map_err(making)?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().map_err(making)?;
    let certificate: CertificateDer<'static> = params.signed_by(&key, &issuer).map_err(making)?.into();
    let text = PrivatePkcs8KeyDer::from(key.serialize_der());
    let key = PrivateKeyDer::from(text.clone_key());
    let key = provider().key_provider.load_private_key(key).map_err(|error| unusable(&error))?;
    Ok((CertifiedKey::new(vec![certificate, bundle.intermediate.clone()], key), text))
}

fn roots(bundle: &IdentityBundle) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for root in &bundle.roots {
        roots.add(root.clone()).map_err(|error| unusable(&error))?;
    }
    Ok(roots)
}

fn moment(seconds: u64) -> Result<OffsetDateTime, IdentityError> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::error::Error) -> IdentityError {
    IdentityError::Unusable { what: "an identity bundle", reason: error.to_string() }
}
