//! TLS to the server, as `sslmode` and its companions ask for.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use deis_database::Database;

use crate::proxy::Proxy;
use deis_test_postgres::Server;

/// A server that speaks TLS and wants a certificate of its clients, as an operator set it up.
struct Party {
    server: Server,
    proxy: Proxy,
    database: String,
    directory: TempDir,
}

/// What the server's certificate names: where the proxy listens, but not where the server does.
const NAME: &str = "127.0.0.1";

/// Who may connect: to look whether it runs, anybody; to the databases, who has a certificate and the password.
const ACCESS: &str = "host postgres all 127.0.0.0/8 scram-sha-256\nhostssl all all 127.0.0.0/8 scram-sha-256 clientcert=verify-ca\n";

impl Party {
    async fn start() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let root = authority("root");
        write(directory.path(), "root.pem", &root.pem());
        write(directory.path(), "other.pem", &authority("other").pem());
        issue(directory.path(), "server", &root);
        issue(directory.path(), "client", &root);
        let file = |name: &str| directory.path().join(name).display().to_string();
        let mut server = Server::start_with(&[
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("server.pem")),
            format!("ssl_key_file={}", file("server.key")),
            format!("ssl_ca_file={}", file("root.pem")),
        ])
        .await?;
        let database = server.database().await;
        server.stop();
        server.allow(ACCESS);
        server.run_again().await;
        let proxy = Proxy::start(server.address()).await;
        Some(Self { server, proxy, database, directory })
    }

    /// Opens the database with `parameters`, in which `DIR` is where the files are.
    async fn open(&self, parameters: &str) -> Result<(), String> {
        let url = self.proxy.url(&self.database, self.server.address());
        self.open_at(&url, parameters).await
    }

    /// Likewise at the server's own address, which its certificate does not name.
    async fn open_misnamed(&self, parameters: &str) -> Result<(), String> {
        self.open_at(&self.database, parameters).await
    }

    async fn open_at(&self, url: &str, parameters: &str) -> Result<(), String> {
        let directory = self.directory.path().display().to_string();
        let url = format!("{url}?{}", parameters.replace("DIR", &directory));
        Database::open(&url).await.map(drop).map_err(|error| error.to_string())
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no name is invalid");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("keys can be made");
    CertifiedIssuer::self_signed(params, key).expect("it signs itself")
}

fn issue(directory: &Path, name: &str, root: &CertifiedIssuer<'static, KeyPair>) {
    let params = CertificateParams::new(vec![NAME.to_owned()]).expect("the name is valid");
    let key = KeyPair::generate().expect("keys can be made");
    let certificate = params.signed_by(&key, root).expect("the root signs");
    write(directory, &format!("{name}.pem"), &certificate.pem());
    write(directory, &format!("{name}.key"), &key.serialize_pem());
}

/// Readable by its owner alone: the server takes no other keys.
fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::write(&path, text).expect("the directory is writable");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
}

/// What a client has to prove who it is.
const CLIENT: &str = "sslcert=DIR/client.pem&sslkey=DIR/client.key";

#[tokio::test]
async fn both_sides_prove_who_they_are() {
    let Some(party) = Party::start().await else { return };
    party.open(&format!("sslmode=verify-full&sslrootcert=DIR/root.pem&{CLIENT}")).await.unwrap();
    party.open_misnamed(&format!("sslmode=verify-ca&sslrootcert=DIR/root.pem&{CLIENT}")).await.unwrap();
    party.open(&format!("sslmode=require&{CLIENT}")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_prove_itself_is_refused() {
    let Some(party) = Party::start().await else { return };
    let misnamed = format!("sslmode=verify-full&sslrootcert=DIR/root.pem&{CLIENT}");
    party.open_misnamed(&misnamed).await.unwrap_err();
    let other = format!("sslmode=require&sslrootcert=DIR/other.pem&{CLIENT}");
    let error = party.open(&other).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let Some(party) = Party::start().await else { return };
    let error = party.open("sslmode=verify-full&sslrootcert=DIR/root.pem").await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let error = party.open("sslmode=disable").await.unwrap_err();
    assert!(error.contains("no encryption"), "{error}");
}
