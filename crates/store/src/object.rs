//! What a store keeps: bytes, and the few facts about them.

use crate::{error::StoreError, key::ObjectKey};
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use std::{io, time::SystemTime};

/// Bytes on their way into or out of a store, in order, in pieces of any size.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// Objects or uploads, in ascending order of their keys' bytes. Ends after the first error.
pub type ObjectList = BoxStream<'static, Result<ObjectMeta, StoreError>>;

/// The facts about one object or upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its name.
    pub key: ObjectKey,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written or finished. Servers tell whole seconds.
    pub modified: SystemTime,
}

/// An object opened for reading.
pub struct Object {
    /// The facts, as of the moment it was opened.
    pub meta: ObjectMeta,
    /// Its bytes, or those of the range asked for. Stays readable when the object is replaced or deleted meanwhile.
    pub content: ByteStream,
}

/// A stream of `bytes` alone.
pub fn once(bytes: impl Into<Bytes>) -> ByteStream {
    let bytes = bytes.into();
    stream::once(async move { Ok(bytes) }).boxed()
}
