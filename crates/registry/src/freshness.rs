//! Keeps what a push builds on from being removed under it.
//!
//! A client asks whether a blob is there, hears yes, and does not send it: from then until its manifest arrives,
//! nothing refers to the blob. So whoever hears yes makes it young, and garbage collection spares the young.

use crate::state::State;
use deis_store::{ObjectKey, ObjectMeta, StoreError};
use std::time::Duration;

/// The facts about an object that somebody is about to build on; nothing when absent. It counts as young from now on.
///
/// Call it with `state.removal` held shared, or the object may go between the look and the touch.
pub(crate) async fn refresh(state: &State, key: &ObjectKey) -> Result<Option<ObjectMeta>, StoreError> {
    let meta = match state.store.head(key).await {
        Ok(meta) => meta,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    // Half of the time is left then: pushes of popular layers need not write to the disk every time.
    if is_old(&meta, state.limits.garbage_grace / 2) {
        state.store.touch(key).await?;
    }
    Ok(Some(meta))
}

/// Whether the object was last written or asked for at least `grace` ago. A clock set back makes nothing old.
pub(crate) fn is_old(meta: &ObjectMeta, grace: Duration) -> bool {
    meta.modified.elapsed().is_ok_and(|age| age >= grace)
}

/// Removes the object unless it has become young; tells how many bytes that freed.
///
/// Looks again under the lock: since the caller decided, a push may have begun to build on it.
pub(crate) async fn remove_if_old(state: &State, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
    let _removing = state.removal.write().await;
    match state.store.head(key).await {
        Ok(meta) if is_old(&meta, state.limits.garbage_grace) => {
            state.store.delete(key).await?;
            Ok(Some(meta.size))
        }
        Ok(_) => Ok(None),
        Err(error) if error.is_not_found() => Ok(Some(0)),
        Err(error) => Err(error),
    }
}
