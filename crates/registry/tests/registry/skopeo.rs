//! Skopeo as client, which speaks OCI where the Docker Engine speaks Docker. Skips where it is not installed.

use crate::client::{PASSWORD, TestRegistry, USERNAME, digest};
use serde_json::json;
use std::{fs, path::Path, process::Command};

/// Writes an image as an OCI layout: "Image Layout Specification".
fn write_layout(folder: &Path) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let add = |content: Vec<u8>, media_type: &str| {
        let digest = digest(&content);
        fs::write(blobs.join(&digest[7..]), &content).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    };
    let layer = vec![0; 3 << 20];
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] } });
    let layer = add(layer, "application/vnd.oci.image.layer.v1.tar");
    let config = add(config.to_string().into(), "application/vnd.oci.image.config.v1+json");
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [layer] }).to_string();
    let mut manifest = add(manifest.into(), "application/vnd.oci.image.manifest.v1+json");
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
    fs::write(folder.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string())
        .unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

async fn skopeo(arguments: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy").args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_there_and_back() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        eprintln!("skipped: skopeo is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    write_layout(&source);
    let registry = TestRegistry::start().await;
    let credentials = format!("{USERNAME}:{PASSWORD}");
    let image = format!("docker://{}/deis/copied:v1", registry.address);
    let (from, to) = (format!("oci:{}:v1", source.display()), format!("oci:{}:v1", target.display()));
    skopeo(&[
        "copy",
        "--preserve-digests",
        "--dest-tls-verify=false",
        "--dest-creds",
        &credentials,
        &from,
        &image,
    ])
    .await;
    let tags =
        skopeo(&["list-tags", "--tls-verify=false", "--creds", &credentials, image.trim_end_matches(":v1")])
            .await;
    assert!(tags.contains("\"v1\""), "{tags}");
    skopeo(&[
        "copy",
        "--preserve-digests",
        "--src-tls-verify=false",
        "--src-creds",
        &credentials,
        &image,
        &to,
    ])
    .await;
    let blobs = |folder: &Path| {
        let names =
            fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(blobs(&source), blobs(&target));
    skopeo(&["delete", "--tls-verify=false", "--creds", &credentials, &image]).await;
    registry.client().get("/v2/deis/copied/manifests/v1").await.expect(404);
}
