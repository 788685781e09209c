//! Certificates, from whoever has them to the visitor's browser.

use std::time::Duration;

use deis_tests::{Options, Pebble, Platform, Site, User, has_engine};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

const DOMAIN: &str = "www.blog.test";

/// How long a certificate may take to get to every router.
const SOON: Duration = Duration::from_secs(60);

/// A platform with an app at its own domain.
fn stage(options: Options) -> (Platform, User) {
    let platform = Platform::start_with(options);
    let user = platform.user("ann");
    let app = user.create_app("blog", "worker-python");
    app.push().succeeded();
    user.deis_in(app.path(), &["domains:add", DOMAIN]).succeeded();
    (platform, user)
}

#[test]
fn an_uploaded_certificate_is_shown_and_removed() {
    if !has_engine() {
        return;
    }
    let (platform, user) = stage(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let (root, files) = certificate(directory.path());
    assert!(platform.get_over_tls(DOMAIN, &root).is_err());
    user.deis(&["certs:add", &files[0], &files[1]]).succeeded();
    platform.eventually("the certificate is shown", SOON, |platform| {
        platform.get_over_tls(DOMAIN, &root).is_ok_and(|body| body.contains("Powered by Deis"))
    });
    user.deis(&["certs:list"]).succeeded().said(DOMAIN);
    user.deis(&["tls:enable", "-a", "blog"]).succeeded();
    platform.eventually("plain HTTP leads there", SOON, |platform| platform.get(DOMAIN, "/").0 == 301);
    user.deis(&["tls:disable", "-a", "blog"]).succeeded();
    user.deis(&["certs:remove", DOMAIN]).succeeded();
    platform.eventually("the certificate is gone", SOON, |platform| {
        platform.get_over_tls(DOMAIN, &root).is_err() && platform.get(DOMAIN, "/").0 == 200
    });
}

#[test]
fn a_domain_gets_a_certificate_by_itself() {
    if !has_engine() {
        return;
    }
    let (platform, _user) = stage(Options::default());
    let Some(pebble) = Pebble::start(platform.router()) else { return };
    let authority = format!("acme/caCertificates={}", pebble.own_root());
    let directory = format!("acme/directory={}", pebble.url());
    let set = ["config", "router", "set", &directory, &authority, "acme/enabled=on", "tls/auto=on"];
    platform.deisctl(&set).succeeded();
    let root = pebble.root();
    platform.eventually("a certificate was issued and is shown", 2 * SOON, |platform| {
        platform.get_over_tls(DOMAIN, &root).is_ok_and(|body| body.contains("Powered by Deis"))
    });
}

/// A root in PEM, and the files of a certificate by it and of its key.
fn certificate(directory: &std::path::Path) -> (String, [String; 2]) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, new_key()).expect("it signs itself");
    let key = new_key();
    let mut leaf = CertificateParams::new([DOMAIN.to_owned()]).expect("a name");
    leaf.distinguished_name.push(rcgen::DnType::CommonName, DOMAIN);
    let leaf = leaf.signed_by(&key, &root).expect("the root signs");
    let files = [("chain.pem", leaf.pem()), ("key.pem", key.serialize_pem())].map(|(name, text)| {
        let path = directory.join(name);
        std::fs::write(&path, text).expect("a temporary directory is writable");
        path.display().to_string()
    });
    (root.pem(), files)
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}
