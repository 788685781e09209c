//! What refers to a manifest: signatures, bills of materials, attestations.

use crate::{
    digest::Digest, entry, error::RequestError, layout, manifest, manifest_content::OCI_INDEX, page,
    repository::RepositoryName, state::State,
};
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// The most referrers in one answer; each is read from the store.
const PAGE_LENGTH: usize = 100;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// Which referrers are asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter {
    artifact_type: Option<String>,
    last: Option<String>,
}

/// "Listing Referrers": an image index, empty when nothing refers to the subject or there is none.
///
/// A further page keeps no filter; the specification leaves filtering to the client then.
pub(crate) async fn list(
    state: &State,
    name: &RepositoryName,
    subject: &Digest,
    filter: Filter,
) -> Result<Response, RequestError> {
    let after = filter.last.as_deref().and_then(Digest::parse_hex).map(|last| last.hex());
    let folders = entry::folders(&*state.store, &layout::referrers(name, subject)).await?;
    let found = folders.into_keys().filter(|hex| after.as_ref().is_none_or(|after| hex > after));
    let (entries, last) = page::cut(found.take(PAGE_LENGTH + 1).collect(), PAGE_LENGTH);
    let mut manifests = Vec::new();
    for digest in entries.iter().filter_map(|hex| Digest::parse_hex(hex)) {
        manifests.extend(describe(state, name, &digest, filter.artifact_type.as_deref()).await?);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
    let path = format!("/v2/{name}/referrers/{subject}");
    let mut response = page::answer(index, &path, PAGE_LENGTH, last.as_deref());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    if filter.artifact_type.is_some() {
        response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}

/// The descriptor of a referrer; nothing when it is gone or of another type than `wanted`.
async fn describe(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
    wanted: Option<&str>,
) -> Result<Option<Value>, RequestError> {
    let Some(bytes) = manifest::read(state, name, digest).await? else {
        return Ok(None);
    };
    let content = manifest::parse_stored(&bytes)?;
    if wanted.is_some_and(|wanted| content.artifact_type.as_deref() != Some(wanted)) {
        return Ok(None);
    }
    let (digest, size) = (digest.to_string(), bytes.len());
    let mut descriptor = json!({ "mediaType": content.media_type, "digest": digest, "size": size });
    if let Some(artifact_type) = content.artifact_type {
        descriptor["artifactType"] = artifact_type.into();
    }
    if let Some(annotations) = content.annotations {
        descriptor["annotations"] = json!(annotations);
    }
    Ok(Some(descriptor))
}
