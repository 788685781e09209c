//! What whoever holds one role's bundle can pretend to be: that role, and nobody else.

use std::sync::Arc;

use deis_runtime::identity::Authority;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType, SigningKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};

use crate::support::{Member, credulous, meet, stolen};

/// A certificate for `names`, signed by `issuer`, shown with `chain`.
fn forge<S: SigningKey>(
    names: Vec<SanType>,
    issuer: &Issuer<'_, S>,
    chain: &[String],
) -> Arc<SingleCertAndKey> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = CertificateDer::from(params.signed_by(&key, issuer).unwrap());
    let above = chain.iter().map(|text| CertificateDer::from_pem_slice(text.as_bytes()).unwrap());
    let certificates = std::iter::once(leaf).chain(above).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(certificates, key)))
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// Why a router refuses the forged certificate of a controller, and a logger that of a client.
async fn refusals(authority: &Authority, forged: Arc<SingleCertAndKey>) -> (String, String) {
    let (router, logger) = (Member::new(authority, "router"), Member::new(authority, "logger"));
    let mut server = ServerConfig::clone(&logger.identity.server());
    server.cert_resolver = Arc::clone(&forged) as _;
    let by_client = meet(server.into(), router.identity.client("controller")).await;
    let mut client = ClientConfig::clone(&credulous(&router.identity.client("logger")));
    client.client_auth_cert_resolver = forged;
    let by_server = meet(logger.identity.server(), client.into()).await;
    (by_client.client.err().expect("refused"), by_server.server.err().expect("refused"))
}

#[tokio::test]
async fn a_routers_bundle_cannot_name_a_controller() {
    let authority = Authority::create().unwrap();
    let (issuer, certificate) = stolen(&authority.issue("router").unwrap());
    let names = [
        vec![dns("a.controller.deis.internal")],
        vec![dns("a.router.deis.internal"), dns("a.controller.deis.internal")],
        vec![SanType::IpAddress([127, 0, 0, 1].into())],
    ];
    for names in names {
        let forged = forge(names, &issuer, std::slice::from_ref(&certificate));
        let (client, server) = refusals(&authority, forged).await;
        assert!(client.contains("NameConstraintViolation"), "{client}");
        assert!(server.contains("NameConstraintViolation"), "{server}");
    }
}

#[tokio::test]
async fn names_that_hide_another_role_are_nobodys() {
    let authority = Authority::create().unwrap();
    let (issuer, certificate) = stolen(&authority.issue("router").unwrap());
    let names = [
        vec![],
        vec![dns("router.deis.internal")],
        vec![dns("a.controller.router.deis.internal")],
        vec![dns("*.router.deis.internal")],
        vec![dns("a.router.deis.internal"), dns("b.router.deis.internal")],
    ];
    for names in names {
        let forged = forge(names, &issuer, std::slice::from_ref(&certificate));
        let (client, server) = refusals(&authority, forged).await;
        assert!(client.contains("names nobody of this platform"), "{client}");
        assert!(server.contains("names nobody of this platform"), "{server}");
    }
}

#[tokio::test]
async fn a_bundle_cannot_make_further_authorities() {
    let authority = Authority::create().unwrap();
    let (issuer, certificate) = stolen(&authority.issue("router").unwrap());
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let below = params.signed_by(&key, &issuer).unwrap();
    let chain = [below.pem(), certificate];
    let names = vec![dns("a.router.deis.internal")];
    let forged = forge(names, &Issuer::from_ca_cert_pem(&chain[0], key).unwrap(), &chain);
    let (client, server) = refusals(&authority, forged).await;
    assert!(client.contains("invalid peer certificate"), "{client}");
    assert!(server.contains("invalid peer certificate"), "{server}");
}
