//! The same requests to this registry and to Debian's `docker-registry`: both must answer alike.

use crate::client::{Client, IMAGE, PASSWORD, TestRegistry, USERNAME, digest, image};
use http::Method;
use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A running `docker-registry`, ended when dropped.
struct Oracle {
    process: Child,
    client: Client,
    _directory: tempfile::TempDir,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Oracle {
    /// Nothing where the programs are not installed.
    async fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let passwords = Command::new("htpasswd").args(["-Bbn", USERNAME, PASSWORD]).output();
        let known = Command::new("docker-registry").arg("--version").output().is_ok();
        let Some(passwords) = passwords.ok().filter(|_| known) else {
            eprintln!("skipped: docker-registry and htpasswd (apache2-utils) are not installed");
            return None;
        };
        std::fs::write(directory.path().join("passwords"), passwords.stdout).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = write_settings(directory.path(), &address.to_string());
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(settings).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Some(Self { process, client: Client { address }, _directory: directory })
    }
}

fn write_settings(directory: &Path, address: &str) -> std::path::PathBuf {
    let path = directory.join("settings.yml");
    let folder = directory.display();
    let settings = format!(
        "version: 0.1\n\
         storage: {{filesystem: {{rootdirectory: {folder}/blobs}}, delete: {{enabled: true}}}}\n\
         http: {{addr: \"{address}\"}}\n\
         auth: {{htpasswd: {{realm: deis, path: {folder}/passwords}}}}\n"
    );
    std::fs::write(&path, settings).unwrap();
    path
}

/// Method, path, headers, body.
type Question<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

/// What an answer comes down to, without what may differ.
async fn ask(client: &Client, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let method: Method = method.parse().unwrap();
    let answer = client.call(method, path, headers, body.to_owned()).await;
    let shown = ["docker-content-digest", "content-range", "docker-distribution-api-version", "link"];
    let shown = shown.map(|name| answer.header(name).to_owned());
    format!("{} {} {shown:?}", answer.status.as_u16(), answer.code())
}

/// Requests that come one after another, with their answers.
async fn answers(client: &Client) -> Vec<String> {
    let blob = client.push_blob("a", "{}").await;
    client.push_blob("a", "layer").await;
    let manifest = image("layer").to_string();
    let found = digest(&manifest);
    let (sent, absent) = ([("content-type", IMAGE)], digest("absent"));
    let requests: &[Question] = &[
        ("GET", "/v2/", &[], ""),
        ("HEAD", &format!("/v2/a/blobs/{blob}"), &[], ""),
        ("GET", &format!("/v2/a/blobs/{blob}"), &[("range", "bytes=1-1")], ""),
        ("GET", &format!("/v2/a/blobs/{absent}"), &[], ""),
        ("GET", &format!("/v2/b/blobs/{blob}"), &[], ""),
        ("POST", &format!("/v2/b/blobs/uploads/?mount={blob}&from=a"), &[], ""),
        ("POST", &format!("/v2/b/blobs/uploads/?mount={absent}&from=a"), &[], ""),
        ("PUT", "/v2/a/manifests/v1", &sent, &manifest),
        ("PUT", "/v2/b/manifests/v1", &sent, &manifest),
        ("PUT", &format!("/v2/a/manifests/{absent}"), &sent, &manifest),
        ("PUT", "/v2/a/manifests/v1", &sent, "{"),
        ("GET", "/v2/a/manifests/v1", &[("accept", IMAGE)], ""),
        ("HEAD", &format!("/v2/a/manifests/{found}"), &[("accept", IMAGE)], ""),
        ("GET", "/v2/a/manifests/absent", &[], ""),
        ("GET", "/v2/a/tags/list", &[], ""),
        ("GET", "/v2/absent/tags/list", &[], ""),
        ("GET", "/v2/_catalog", &[], ""),
        ("DELETE", &format!("/v2/a/manifests/{found}"), &[], ""),
        ("GET", "/v2/a/manifests/v1", &[("accept", IMAGE)], ""),
        ("DELETE", &format!("/v2/a/manifests/{absent}"), &[], ""),
        ("DELETE", &format!("/v2/a/blobs/{blob}"), &[], ""),
        ("DELETE", &format!("/v2/a/blobs/{blob}"), &[], ""),
        ("GET", &format!("/v2/a/blobs/{blob}"), &[], ""),
    ];
    let mut answers = Vec::new();
    for (method, path, headers, body) in requests {
        answers
            .push(format!("{method} {path} {headers:?}: {}", ask(client, method, path, headers, body).await));
    }
    answers
}

#[tokio::test]
async fn answers_are_those_of_docker_registry() {
    let Some(oracle) = Oracle::start().await else { return };
    let registry = TestRegistry::start().await;
    let (ours, theirs) = (answers(&registry.client()).await, answers(&oracle.client).await);
    let differences: Vec<_> = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}
