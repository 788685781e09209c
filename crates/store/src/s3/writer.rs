//! Sends a stream: in one request when it is short, in parts when it is long.

use super::{
    bucket::Bucket,
    gather::{Gathered, gather},
    parts::{Parts, part_bytes},
};
use crate::object::ByteStream;
use object_store::{Error, ObjectStoreExt, path::Path};
use std::{io, sync::Arc};

/// What becomes of bytes whose content failed after them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// They are dropped: an object is whole or absent.
    Dropped,
    /// They are kept: an upload goes on from there.
    Kept,
}

/// How a stream ended.
pub(super) struct Written {
    /// How many bytes are there now.
    pub(super) size: u64,
    /// Why the content ended early.
    pub(super) failure: Option<io::Error>,
}

/// Writes `content` to `path`, at most two parts of it in memory.
pub(super) async fn write(
    bucket: &Arc<Bucket>,
    path: &Path,
    mut content: ByteStream,
    cut: Cut,
) -> Result<Written, Error> {
    let first = gather(&mut content, part_bytes(0)).await;
    match first.end {
        None => write_parts(bucket, path, first, content, cut).await,
        Some(Err(failure)) if cut == Cut::Dropped || first.size == 0 => {
            Ok(Written { size: 0, failure: Some(failure) })
        }
        Some(end) => {
            bucket.client.put(path, first.payload).await?;
            Ok(Written { size: first.size, failure: end.err() })
        }
    }
}

async fn write_parts(
    bucket: &Arc<Bucket>,
    path: &Path,
    first: Gathered,
    mut content: ByteStream,
    cut: Cut,
) -> Result<Written, Error> {
    let mut parts = Parts::begin(bucket, path).await?;
    let mut size = 0;
    let mut next = first;
    let end = loop {
        size += next.size;
        if next.size > 0 {
            parts.send(next.payload).await?;
        }
        if let Some(end) = next.end {
            break end;
        }
        next = gather(&mut content, parts.wanted()).await;
    };
    match end {
        Err(failure) if cut == Cut::Dropped => Ok(Written { size: 0, failure: Some(failure) }),
        end => {
            parts.complete().await?;
            Ok(Written { size, failure: end.err() })
        }
    }
}
