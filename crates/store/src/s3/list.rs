//! Lists objects, a page at a time.

use super::bucket::Bucket;
use crate::{
    error::StoreError,
    key::{ObjectKey, folder_of},
    object::{ObjectList, ObjectMeta},
};
use futures::{StreamExt, TryStreamExt, future, stream};
use object_store::{ObjectMeta as Meta, ObjectStore};
use std::sync::Arc;

/// The objects whose keys begin with `prefix` and come after `after`.
pub(super) fn list(bucket: &Arc<Bucket>, prefix: &str, after: Option<&ObjectKey>) -> ObjectList {
    let folder = match folder_of(prefix) {
        Ok(folder) => bucket.path(&format!("objects/{folder}")),
        Err(error) => return stream::once(async { Err(error) }).boxed(),
    };
    let pages = match after {
        Some(after) => bucket.client.list_with_offset(Some(&folder), &bucket.object(after)),
        None => bucket.client.list(Some(&folder)),
    };
    let (bucket, prefix) = (bucket.clone(), prefix.to_owned());
    let found = pages.map(move |found| read(&bucket, &prefix, found));
    // In order, so nothing is wanted any more once the prefix is passed.
    found
        .take_while(|found| future::ready(!matches!(found, Ok(Place::Behind))))
        .try_filter_map(|place| {
            future::ok(match place {
                Place::Within(meta) => Some(meta),
                Place::Before | Place::Behind => None,
            })
        })
        .boxed()
}

/// Where an object is, seen from a prefix.
enum Place {
    Before,
    Within(ObjectMeta),
    Behind,
}

fn read(
    bucket: &Bucket,
    prefix: &str,
    found: Result<Meta, object_store::Error>,
) -> Result<Place, StoreError> {
    let meta = found.map_err(|error| bucket.attempt("list", prefix).failed(error))?;
    let key = bucket.name_below("objects/", &meta.location).and_then(|name| ObjectKey::parse(name).ok());
    Ok(match key {
        Some(key) if key.as_str().starts_with(prefix) => Place::Within(bucket.meta(key, &meta)),
        Some(key) if key.as_str() > prefix => Place::Behind,
        // Not ours, when it is no key.
        _ => Place::Before,
    })
}
