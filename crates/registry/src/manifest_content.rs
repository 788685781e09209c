//! What a manifest says: its media type, and what it refers to.

use crate::digest::Digest;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestContent {
    /// One of the four above.
    pub(crate) media_type: &'static str,
    /// The configuration and the layers that the repository must have.
    pub(crate) blobs: Vec<Digest>,
    /// The manifests that the repository must have.
    pub(crate) manifests: Vec<Digest>,
    /// The manifest that this one says something about. It need not exist.
    pub(crate) subject: Option<Digest>,
    /// What kind of thing it is, for the list of referrers.
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
}

impl ManifestContent {
    /// Parses a manifest that was sent as `content_type`, or says in words what is wrong with it.
    pub(crate) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if document.schema_version != 2 {
            return Err(format!("schema version {} is not supported, only 2 is", document.schema_version));
        }
        let media_type = document.media_type(content_type)?;
        document.check_shape(media_type)?;
        let config = document.config.iter().filter(|_| !is_list(media_type));
        let layers = document.layers.iter().flatten().filter(|layer| !layer.is_elsewhere());
        let default_type = document.config.as_ref().map(|config| config.media_type.clone());
        Ok(Self {
            media_type,
            blobs: config.chain(layers).map(Descriptor::digest).collect::<Result<_, _>>()?,
            manifests: document
                .manifests
                .iter()
                .flatten()
                .map(Descriptor::digest)
                .collect::<Result<_, _>>()?,
            subject: document.subject.as_ref().map(Descriptor::digest).transpose()?,
            artifact_type: document.artifact_type.clone().or(default_type),
            annotations: document.annotations,
        })
    }
}

impl Document {
    /// The media type: as sent, as written inside, or else OCI's by shape. All that is said must agree, or two
    /// clients could take one content for two things.
    fn media_type(&self, content_type: Option<&str>) -> Result<&'static str, String> {
        let inside = self.media_type.as_deref().map(known).transpose()?;
        let sent = content_type.map(known).transpose()?;
        let by_shape = if self.manifests.is_some() { OCI_INDEX } else { OCI_MANIFEST };
        match (inside, sent) {
            (Some(inside), Some(sent)) if inside != sent => {
                Err(format!("it says that it is {inside}, but was sent as {sent}"))
            }
            (Some(inside), _) => Ok(inside),
            (None, Some(sent)) if sent != by_shape => {
                Err(format!("it was sent as {sent}, but does not say so"))
            }
            (None, _) => Ok(by_shape),
        }
    }

    fn check_shape(&self, media_type: &str) -> Result<(), String> {
        let listed = self.manifests.is_some();
        let layered = self.config.is_some() || self.layers.is_some();
        match is_list(media_type) {
            true if !listed || layered => {
                Err("a list has manifests, and neither config nor layers".to_owned())
            }
            false if listed || self.config.is_none() || self.layers.is_none() => {
                Err("an image has config and layers, and no manifests".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Descriptor {
    fn digest(&self) -> Result<Digest, String> {
        Digest::parse(&self.digest).ok_or_else(|| format!("{:?} is no sha256 digest", self.digest))
    }

    /// Layers whose licence forbids passing them on: clients fetch them from where they are.
    fn is_elsewhere(&self) -> bool {
        self.media_type.contains(".foreign.") || self.media_type.contains(".nondistributable.")
    }
}

fn is_list(media_type: &str) -> bool {
    [OCI_INDEX, DOCKER_LIST].contains(&media_type)
}

fn known(media_type: &str) -> Result<&'static str, String> {
    let plain = media_type.split(';').next().unwrap_or_default().trim();
    let all = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];
    all.into_iter()
        .find(|known| *known == plain)
        .ok_or_else(|| format!("media type {plain:?} is not supported"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn descriptor(content: &str, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": Digest::of(content.as_bytes()).to_string(), "size": content.len() })
    }

    fn image() -> Value {
        json!({ "schemaVersion": 2, "config": descriptor("config", "c"), "layers": [descriptor("layer", "l")] })
    }

    fn with(mut document: Value, key: &str, value: impl Into<Value>) -> Value {
        document[key] = value.into();
        document
    }

    fn parse(document: &Value, content_type: Option<&str>) -> Result<ManifestContent, String> {
        ManifestContent::parse(document.to_string().as_bytes(), content_type)
    }

    #[test]
    fn an_image_refers_to_its_config_and_layers() {
        let content = parse(&image(), Some(OCI_MANIFEST)).unwrap();
        assert_eq!(content.media_type, OCI_MANIFEST);
        assert_eq!(content.blobs, [Digest::of(b"config"), Digest::of(b"layer")]);
        assert_eq!(content.artifact_type.as_deref(), Some("c"));
        assert_eq!((content.manifests.len(), content.subject), (0, None));
    }

    #[test]
    fn a_list_refers_to_manifests() {
        let list = json!({ "schemaVersion": 2, "manifests": [descriptor("image", "m")] });
        let content = parse(&list, None).unwrap();
        assert_eq!((content.media_type, content.manifests), (OCI_INDEX, vec![Digest::of(b"image")]));
        let docker = with(list, "mediaType", DOCKER_LIST);
        assert_eq!(parse(&docker, Some(DOCKER_LIST)).unwrap().media_type, DOCKER_LIST);
    }

    #[test]
    fn layers_that_are_kept_elsewhere_are_not_asked_for() {
        let foreign = descriptor("far", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        let content = parse(&with(image(), "layers", vec![foreign]), None).unwrap();
        assert_eq!(content.blobs, [Digest::of(b"config")]);
    }

    #[test]
    fn what_a_manifest_says_it_is_must_agree() {
        let docker = with(image(), "mediaType", DOCKER_MANIFEST);
        assert_eq!(parse(&docker, Some(DOCKER_MANIFEST)).unwrap().media_type, DOCKER_MANIFEST);
        assert_eq!(parse(&docker, None).unwrap().media_type, DOCKER_MANIFEST);
        assert_eq!(
            parse(&image(), Some("application/vnd.oci.image.manifest.v1+json; x=y")).unwrap().blobs.len(),
            2
        );
        for (document, content_type) in [
            (docker, Some(OCI_MANIFEST)),
            (image(), Some(DOCKER_MANIFEST)),
            (image(), Some(OCI_INDEX)),
            (image(), Some("text/plain")),
            (with(image(), "mediaType", "text/plain"), None),
            (with(image(), "manifests", Vec::<Value>::new()), Some(OCI_MANIFEST)),
            (with(image(), "schemaVersion", 1), None),
            (with(image(), "config", Value::Null), None),
            (with(image(), "subject", json!({ "mediaType": "m", "digest": "md5:0" })), None),
        ] {
            assert!(parse(&document, content_type).is_err(), "{document} as {content_type:?}");
        }
        assert!(ManifestContent::parse(b"", None).is_err());
        assert!(ManifestContent::parse(b"[]", None).is_err());
    }
}
