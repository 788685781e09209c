//! What a path below `/v2/` points at.

use crate::{digest::Digest, error::RequestError, repository::RepositoryName, tag::Reference};
use uuid::Uuid;

/// What a path below `/v2/` points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Catalog,
    Tags(RepositoryName),
    Manifest(RepositoryName, Reference),
    Referrers(RepositoryName, Digest),
    Blob(RepositoryName, Digest),
    Uploads(RepositoryName),
    Upload(RepositoryName, Uuid),
}

impl Target {
    /// Parses the path without `/v2/`, its percent signs decoded.
    ///
    /// Read from the end, because names have slashes, too, and may contain words like `blobs`.
    pub(crate) fn parse(path: &str) -> Result<Self, RequestError> {
        let segments: Vec<&str> = path.split('/').collect();
        match segments.as_slice() {
            ["_catalog"] => Ok(Self::Catalog),
            [name @ .., "tags", "list"] => Ok(Self::Tags(parse_name(name)?)),
            [name @ .., "manifests", reference] => {
                Ok(Self::Manifest(parse_name(name)?, parse_reference(reference)?))
            }
            [name @ .., "referrers", digest] => Ok(Self::Referrers(parse_name(name)?, parse_digest(digest)?)),
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(parse_name(name)?))
            }
            [name @ .., "blobs", "uploads", id] => Ok(Self::Upload(parse_name(name)?, parse_upload(id)?)),
            [name @ .., "blobs", digest] => Ok(Self::Blob(parse_name(name)?, parse_digest(digest)?)),
            _ => Err(RequestError::Path),
        }
    }
}

fn parse_name(segments: &[&str]) -> Result<RepositoryName, RequestError> {
    let name = segments.join("/");
    RepositoryName::parse(&name).ok_or(RequestError::Name { name })
}

fn parse_reference(text: &str) -> Result<Reference, RequestError> {
    Reference::parse(text).ok_or_else(|| RequestError::ManifestUnknown { reference: text.to_owned() })
}

fn parse_upload(text: &str) -> Result<Uuid, RequestError> {
    Uuid::try_parse(text).map_err(|_| RequestError::UploadUnknown)
}

pub(crate) fn parse_digest(text: &str) -> Result<Digest, RequestError> {
    Digest::parse(text).ok_or_else(|| RequestError::Digest { digest: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Target) {
        assert_eq!(Target::parse(path).unwrap(), expected, "{path:?}");
    }

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    #[test]
    fn paths_are_read_from_the_end() {
        let digest = Digest::of(b"");
        let tag = Reference::parse("v1").unwrap();
        check("_catalog", Target::Catalog);
        check("a/b/tags/list", Target::Tags(name("a/b")));
        check("a/manifests/v1", Target::Manifest(name("a"), tag.clone()));
        check("blobs/uploads/manifests/v1", Target::Manifest(name("blobs/uploads"), tag));
        check(&format!("a/blobs/{digest}"), Target::Blob(name("a"), digest));
        check(&format!("manifests/v1/blobs/{digest}"), Target::Blob(name("manifests/v1"), digest));
        check(&format!("a/referrers/{digest}"), Target::Referrers(name("a"), digest));
        check("a/blobs/uploads", Target::Uploads(name("a")));
        check("a/b/blobs/uploads/", Target::Uploads(name("a/b")));
        check(&format!("a/blobs/uploads/{}", Uuid::nil()), Target::Upload(name("a"), Uuid::nil()));
    }

    #[test]
    fn what_is_no_path_of_the_specification_is_refused() {
        for path in
            ["", "x", "a/b", "manifests/v1", "../a/manifests/v1", "A/manifests/v1", "a/blobs/sha256:0"]
        {
            assert!(Target::parse(path).is_err(), "{path:?}");
        }
        assert!(matches!(Target::parse("a/manifests/.x"), Err(RequestError::ManifestUnknown { .. })));
        assert!(matches!(Target::parse("a/blobs/uploads/1"), Err(RequestError::UploadUnknown)));
    }
}
