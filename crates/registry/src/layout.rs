//! Where things are in the store.
//!
//! ```text
//! registry/blobs/sha256/ab/abcd…                               the bytes of a blob, shared by all repositories
//! registry/repositories/NAME/_blobs/sha256/abcd…               empty: NAME has this blob
//! registry/repositories/NAME/_manifests/sha256/abcd…           the bytes of a manifest
//! registry/repositories/NAME/_tags/TAG                         the digest that TAG stands for
//! registry/repositories/NAME/_referrers/sha256/abcd…/ef01…     empty: manifest ef01… has the subject abcd…
//! registry/repositories/NAME/_uploads/UUID                     an upload
//! ```
//!
//! The underscores keep these folders apart from names: no part of a name begins with one.

use crate::{digest::Digest, repository::RepositoryName, tag::Tag};
use deis_store::ObjectKey;
use uuid::Uuid;

pub(crate) const BLOBS: &str = "registry/blobs/sha256/";
pub(crate) const REPOSITORIES: &str = "registry/repositories/";

pub(crate) fn blob(digest: &Digest) -> ObjectKey {
    let hex = digest.hex();
    key(&format!("{BLOBS}{}/{hex}", &hex[..2]))
}

pub(crate) fn blob_link(name: &RepositoryName, digest: &Digest) -> ObjectKey {
    key(&format!("{}{}", blob_links(name), digest.hex()))
}

pub(crate) fn blob_links(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_blobs/sha256/")
}

pub(crate) fn manifest(name: &RepositoryName, digest: &Digest) -> ObjectKey {
    key(&format!("{}{}", manifests(name), digest.hex()))
}

pub(crate) fn manifests(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_manifests/sha256/")
}

pub(crate) fn tag(name: &RepositoryName, tag: &Tag) -> ObjectKey {
    key(&format!("{}{tag}", tags(name)))
}

pub(crate) fn tags(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_tags/")
}

pub(crate) fn referrer(name: &RepositoryName, subject: &Digest, digest: &Digest) -> ObjectKey {
    key(&format!("{}{}", referrers(name, subject), digest.hex()))
}

pub(crate) fn referrers(name: &RepositoryName, subject: &Digest) -> String {
    format!("{REPOSITORIES}{name}/_referrers/sha256/{}/", subject.hex())
}

pub(crate) fn upload(name: &RepositoryName, id: Uuid) -> ObjectKey {
    key(&format!("{REPOSITORIES}{name}/_uploads/{id}"))
}

/// The repository that an object below [`REPOSITORIES`] belongs to.
pub(crate) fn repository_of(key: &ObjectKey) -> Option<RepositoryName> {
    let (name, _) = key.as_str().strip_prefix(REPOSITORIES)?.split_once("/_")?;
    RepositoryName::parse(name)
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("names, tags and digests are made of what keys are made of")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_fit_into_keys() {
        let name = RepositoryName::parse(&"a".repeat(255)).unwrap();
        let digest = Digest::of(b"");
        for key in [referrer(&name, &digest, &digest), tag(&name, &Tag::parse(&"t".repeat(128)).unwrap())] {
            assert_eq!(repository_of(&key), Some(name.clone()));
        }
    }
}
