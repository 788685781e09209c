//! Certificates of one member, in files, because PostgreSQL, etcd and Patroni read them from there.
//!
//! Two authorities are at work. What members say to each other is vouched for by an authority of their own: every
//! member derives its key from the password that only members have, so nobody else can take part, whatever other
//! certificate they hold. It may name addresses, which etcd and Patroni insist on. Towards the rest of the platform
//! PostgreSQL shows what every process of the role does, `<host>.database.deis.internal`.

use std::fs;
use std::path::{Path, PathBuf};

use deis_runtime::Identity;
use deis_runtime::identity::IdentityFiles;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::account::Account;
use crate::config::{Config, Member};
use crate::error::DatabaseError;
use crate::layout::Layout;

/// How long the certificates of a member are valid. They are renewed many times meanwhile.
const VALID: Duration = Duration::days(3);
/// How far clocks of hosts may differ.
const SKEW: Duration = Duration::HOUR;
/// What an Ed25519 key in PKCS #8 begins with, before its 32 bytes (RFC 8410 section 7).
const ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Where a member's certificates are.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// Whom members believe among themselves.
    pub(crate) authorities: PathBuf,
    /// What a member shows to others, and its key.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// What PostgreSQL shows to everybody, and its key.
    pub(crate) server_certificate: PathBuf,
    pub(crate) server_key: PathBuf,
    /// Whom PostgreSQL believes: members, and every role of the platform.
    pub(crate) clients: PathBuf,
    /// Whom members believe to be PostgreSQL.
    pub(crate) roots: PathBuf,
    /// Where what this process shows is written, for itself alone.
    identity: PathBuf,
}

impl TlsFiles {
    pub(crate) fn new(layout: &Layout) -> Self {
        let file = |name: &str| layout.settings(name);
        Self {
            authorities: file("members.crt"),
            certificate: file("member.crt"),
            key: file("member.key"),
            server_certificate: file("server.crt"),
            server_key: file("server.key"),
            clients: file("clients.crt"),
            roots: file("roots.crt"),
            identity: file("identity"),
        }
    }

    /// Makes new certificates and puts them in place.
    pub(crate) fn renew(
        &self,
        config: &Config,
        bundle: &Path,
        account: Account,
    ) -> Result<(), DatabaseError> {
        let me = config.this_member();
        let identity = Identity::load(bundle, &me.name).map_err(making)?;
        let failed = |source| DatabaseError::File { path: self.identity.clone(), source };
        fs::create_dir_all(&self.identity).map_err(failed)?;
        IdentityFiles::write(identity, &self.identity).map_err(failed)?;
        let members = Authority::of_members(&config.passwords.replication)?;
        let (certificate, key) = members.leaf(member_names(me)?)?;
        let roots = read(&self.identity.join("roots.crt"))?;
        account.write(&self.authorities, members.certificate.as_bytes())?;
        account.write(&self.clients, &[members.certificate.as_bytes(), &roots].concat())?;
        account.write(&self.roots, &roots)?;
        // The keys first: who reads a new certificate beside an old key only tries again.
        account.write(&self.key, key.as_bytes())?;
        account.write(&self.certificate, certificate.as_bytes())?;
        account.write(&self.server_key, &read(&self.identity.join("leaf.key"))?)?;
        account.write(&self.server_certificate, &read(&self.identity.join("leaf.crt"))?)
    }

    /// A client that shows the member's certificate and believes members alone.
    pub(crate) fn client(&self) -> Result<reqwest::ClientBuilder, DatabaseError> {
        let unusable = |error: reqwest::Error| DatabaseError::Settings { reason: error.to_string() };
        let authority = reqwest::Certificate::from_pem(&read(&self.authorities)?).map_err(unusable)?;
        let mut own = read(&self.certificate)?;
        own.extend(read(&self.key)?);
        let own = reqwest::Identity::from_pem(&own).map_err(unusable)?;
        Ok(reqwest::Client::builder().tls_certs_only([authority]).identity(own))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, DatabaseError> {
    fs::read(path).map_err(|source| DatabaseError::File { path: path.to_owned(), source })
}

fn member_names(member: &Member) -> Result<Vec<SanType>, DatabaseError> {
    Ok(vec![dns(&member.name)?, SanType::IpAddress(member.address)])
}

fn dns(name: &str) -> Result<SanType, DatabaseError> {
    Ok(SanType::DnsName(name.try_into().map_err(making)?))
}

/// Who vouches for members.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn of_members(secret: &str) -> Result<Self, DatabaseError> {
        let seed = Sha256::digest(format!("deis database members\n{secret}"));
        let key = [ED25519.as_slice(), seed.as_slice()].concat();
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key)).map_err(making)?;
        let mut params = params("Deis database members", Duration::days(3650));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(making)?.pem();
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(making)?;
        Ok(Self { issuer, certificate })
    }

    fn leaf(&self, names: Vec<SanType>) -> Result<(String, String), DatabaseError> {
        let key = KeyPair::generate().map_err(making)?;
        let mut params = params("database", VALID);
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(making)?;
        Ok((certificate.pem().replace('\r', ""), key.serialize_pem().replace('\r', "")))
    }
}

fn params(subject: &str, valid: Duration) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject);
    let mut params = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    params.distinguished_name = name;
    params.not_before = now - SKEW;
    params.not_after = now + valid;
    params.use_authority_key_identifier_extension = true;
    params
}

fn making(error: impl std::fmt::Display) -> DatabaseError {
    DatabaseError::Settings { reason: format!("no certificates can be made of the identity bundle: {error}") }
}
