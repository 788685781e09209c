//! Where things are in the store.
//!
//! ```text
//! images/blobs/sha256/ab/abcd…/STAMP                                the bytes of a blob
//! images/blobs/sha256/ab/abcd…/STAMP.unused                         empty: no repository had it at that time
//! images/repositories/NAME/_blobs/sha256/abcd…/STAMP.SIZE.BLOB      empty: NAME has this blob, the one stamped BLOB
//! images/repositories/NAME/_manifests/sha256/abcd…/STAMP            the bytes of a manifest
//! images/repositories/NAME/_tags/TAG/STAMP.abcd…                    empty: TAG stands for the manifest abcd…
//! images/repositories/NAME/_referrers/sha256/abcd…/ef01…/STAMP      empty: manifest ef01… has the subject abcd…
//! images/repositories/NAME/_uploads/UUID                            an upload
//! ```
//!
//! What holds an object that bears a stamp is a folder here: see `entry`. The underscores keep these folders apart
//! from names: no part of a name begins with one.

use crate::{digest::Digest, repository::RepositoryName, tag::Tag};
use deis_store::ObjectKey;
use uuid::Uuid;

pub(crate) const BLOBS: &str = "images/blobs/sha256/";
pub(crate) const REPOSITORIES: &str = "images/repositories/";

pub(crate) fn blob(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{BLOBS}{}/{hex}/", &hex[..2])
}

pub(crate) fn blob_link(name: &RepositoryName, digest: &Digest) -> String {
    format!("{}{}/", blob_links(name), digest.hex())
}

pub(crate) fn blob_links(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_blobs/sha256/")
}

pub(crate) fn manifest(name: &RepositoryName, digest: &Digest) -> String {
    format!("{}{}/", manifests(name), digest.hex())
}

pub(crate) fn manifests(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_manifests/sha256/")
}

pub(crate) fn tag(name: &RepositoryName, tag: &Tag) -> String {
    format!("{}{tag}/", tags(name))
}

pub(crate) fn tags(name: &RepositoryName) -> String {
    format!("{REPOSITORIES}{name}/_tags/")
}

pub(crate) fn referrer(name: &RepositoryName, subject: &Digest, digest: &Digest) -> String {
    format!("{}{}/", referrers(name, subject), digest.hex())
}

pub(crate) fn referrers(name: &RepositoryName, subject: &Digest) -> String {
    format!("{REPOSITORIES}{name}/_referrers/sha256/{}/", subject.hex())
}

pub(crate) fn upload(name: &RepositoryName, id: Uuid) -> ObjectKey {
    key(&format!("{REPOSITORIES}{name}/_uploads/{id}"))
}

/// What the store is asked for to see whether it answers. There is no such object.
pub(crate) fn probe() -> ObjectKey {
    key("registry/probe")
}

/// The object `name` in a folder of those above.
pub(crate) fn object(folder: &str, name: &str) -> ObjectKey {
    key(&format!("{folder}{name}"))
}

/// The repository that an object below [`REPOSITORIES`] belongs to.
pub(crate) fn repository_of(key: &ObjectKey) -> Option<RepositoryName> {
    let (name, _) = key.as_str().strip_prefix(REPOSITORIES)?.split_once("/_")?;
    RepositoryName::parse(name)
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("names, tags, digests and stamps are made of what keys are made of")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;

    #[test]
    fn the_longest_names_fit_into_keys() {
        let name = RepositoryName::parse(&"a".repeat(255)).unwrap();
        let digest = Digest::of(b"");
        let tag = tag(&name, &Tag::parse(&"t".repeat(128)).unwrap());
        let stamp = Stamp::behind(None);
        for key in [
            object(&referrer(&name, &digest, &digest), &stamp.to_string()),
            object(&tag, &format!("{stamp}.{}", digest.hex())),
            object(&blob_link(&name, &digest), &format!("{stamp}.{}.{stamp}", u64::MAX)),
        ] {
            assert_eq!(repository_of(&key), Some(name.clone()));
        }
    }
}
