//! Other people's clients: OpenSSL and curl, where they are installed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use deis_api::internal::{PlatformRoutes, TicketKey};
use deis_model::KeyPair;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::{App, Authority, PATIENCE, Scene};

const HOST: &str = "blog.example.com";

/// How the app's answer ends.
const ANSWER: &str = "\r\n\r\nblog";

/// Runs `program` with `input` until it ends; none if it is not installed.
async fn run(program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: there is no {program} here");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends in time");
    Some(output.unwrap())
}

async fn openssl(arguments: &[&str], input: &str) -> Option<String> {
    let output = run("openssl", arguments, input).await?;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What OpenSSL's client says of a connection over which one request is sent.
async fn visit(address: SocketAddr, more: &[&str]) -> Option<String> {
    let address = address.to_string();
    let arguments = [&["s_client", "-ign_eof", "-servername", HOST, "-connect", &address], more].concat();
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    openssl(&arguments, &request).await
}

/// A router whose app `blog` has `pair`.
async fn scene(app: &App, pair: &KeyPair) -> (Scene, SocketAddr) {
    let scene = Scene::secured().await;
    scene.route("blog", 2, &[app]).await;
    scene.certify("blog", std::slice::from_ref(pair)).await;
    let address = scene.addresses.https.unwrap();
    (scene, address)
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn sessions_of_openssl_go_on_at_another_router() {
    let (authority, app, files) = (Authority::new(), App::start("blog").await, tempfile::tempdir().unwrap());
    let (ca, session) = (write(files.path(), "ca.pem", &authority.pem()), files.path().join("session"));
    let session = session.to_str().unwrap();
    let pair = authority.certify(&[HOST]);
    let ((one, first), (two, second)) = (scene(&app, &pair).await, scene(&app, &pair).await);
    let key = TicketKey { name: "0a".repeat(16), key: "0b".repeat(32) };
    for scene in [&one, &two] {
        scene.platform(PlatformRoutes { ticket_keys: vec![key.clone()], ..PlatformRoutes::default() }).await;
    }
    for version in ["-tls1_3", "-tls1_2"] {
        let full = ["-CAfile", &ca, "-verify_return_error", version, "-sess_out", session];
        let Some(seen) = visit(first, &full).await else { return };
        assert!(seen.contains("\nNew, TLSv1") && seen.contains(ANSWER), "{version}: {seen}");
        let seen = visit(second, &[version, "-CAfile", &ca, "-sess_in", session]).await.unwrap();
        assert!(seen.contains("\nReused, TLSv1") && seen.contains(ANSWER), "{version}: {seen}");
    }
}

#[tokio::test]
async fn keys_may_be_of_every_usual_kind_and_form() {
    let (app, files) = (App::start("blog").await, tempfile::tempdir().unwrap());
    let (key, subject) = (files.path().join("key.pem"), format!("/CN={HOST}"));
    let key = key.to_str().unwrap();
    for (make, label) in [
        (vec!["genrsa", "-traditional", "-out", key, "2048"], "BEGIN RSA PRIVATE KEY"),
        (vec!["genpkey", "-algorithm", "RSA", "-out", key], "BEGIN PRIVATE KEY"),
        (vec!["ecparam", "-name", "prime256v1", "-genkey", "-out", key], "BEGIN EC PRIVATE KEY"),
        (vec!["ecparam", "-name", "secp384r1", "-genkey", "-out", key], "BEGIN EC PRIVATE KEY"),
        (vec!["genpkey", "-algorithm", "ED25519", "-out", key], "BEGIN PRIVATE KEY"),
    ] {
        if openssl(&make, "").await.is_none() {
            return;
        }
        let chain = openssl(&["req", "-x509", "-new", "-key", key, "-subj", &subject], "").await.unwrap();
        let pair = KeyPair { chain, key: std::fs::read_to_string(key).unwrap() };
        assert!(pair.key.contains(label), "{make:?}");
        let (_scene, address) = scene(&app, &pair).await;
        let seen = visit(address, &[]).await.unwrap();
        assert!(seen.contains(HOST) && seen.contains(ANSWER), "{make:?}: {seen}");
    }
}

#[tokio::test]
async fn what_an_authority_says_of_a_certificate_is_stapled_to_it() {
    let (app, files) = (App::start("blog").await, tempfile::tempdir().unwrap());
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let (key, cert, index, said) = (path("key.pem"), path("cert.pem"), path("index"), path("said.der"));
    if openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key], "").await.is_none() {
        return;
    }
    let subject = format!("/CN={HOST}");
    openssl(&["req", "-x509", "-new", "-key", &key, "-subj", &subject, "-out", &cert], "").await;
    write(files.path(), "index", "");
    let signed =
        ["-index", &index, "-rsigner", &cert, "-rkey", &key, "-CA", &cert, "-ndays", "1", "-noverify"];
    let of = ["-issuer", &cert, "-cert", &cert, "-respout", &said];
    openssl(&[&["ocsp"][..], &signed, &of].concat(), "").await;
    let response = openssl(&["base64", "-in", &said], "").await.unwrap();
    let plain = std::fs::read_to_string(&cert).unwrap();
    let stapled = format!("{plain}-----BEGIN OCSP RESPONSE-----\n{response}-----END OCSP RESPONSE-----\n");
    for (chain, expected) in
        [(plain, "OCSP response: no response sent"), (stapled, "OCSP Response Status: successful (0x0)")]
    {
        let pair = KeyPair { chain, key: std::fs::read_to_string(&key).unwrap() };
        let (_scene, address) = scene(&app, &pair).await;
        for version in ["-tls1_3", "-tls1_2"] {
            let seen = visit(address, &["-status", version]).await.unwrap();
            assert!(seen.contains(expected) && seen.contains(ANSWER), "{version}: {seen}");
        }
    }
}

#[tokio::test]
async fn old_versions_of_tls_are_refused() {
    let (authority, app) = (Authority::new(), App::start("blog").await);
    let (_scene, address) = scene(&app, &authority.certify(&[HOST])).await;
    let address = address.to_string();
    let arguments =
        ["s_client", "-connect", &address, "-servername", HOST, "-tls1_1", "-cipher", "ALL@SECLEVEL=0"];
    let Some(output) = run("openssl", &arguments, "").await else { return };
    assert!(!output.status.success());
}

#[tokio::test]
async fn curl_speaks_every_version_of_http() {
    let (authority, app, files) = (Authority::new(), App::start("blog").await, tempfile::tempdir().unwrap());
    let (scene, https) = scene(&app, &authority.certify(&[HOST])).await;
    let ca = write(files.path(), "ca.pem", &authority.pem());
    let large = write(files.path(), "large", &"x".repeat(3_000_000));
    let (http, data) = (scene.addresses.http, format!("@{large}"));
    let (plain, secured) =
        (format!("http://{HOST}:{}/sink", http.port()), format!("https://{HOST}:{}/sink", https.port()));
    for (option, url, version) in [
        ("--http2", &secured, "2"),
        ("--http1.1", &secured, "1.1"),
        ("--http2-prior-knowledge", &plain, "2"),
        ("--http1.1", &plain, "1.1"),
        // It offers to change to HTTP/2, which nobody needs to take up.
        ("--http2", &plain, "1.1"),
    ] {
        let resolve = format!("{HOST}:{}:127.0.0.1", if url == &plain { http.port() } else { https.port() });
        let arguments = [
            "-sS",
            "--noproxy",
            "*",
            "--cacert",
            &ca,
            "--resolve",
            &resolve,
            option,
            "-w",
            " %{http_version}",
            "-H",
            "Expect: 100-continue",
            "--data-binary",
            &data,
            url,
        ];
        let Some(output) = run("curl", &arguments, "").await else { return };
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            seen,
            format!("3000000 {version}"),
            "{option} {url}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
