//! A request's body on its way to a container: streamed, and kept only as far as its app wants it taken in before.
//!
//! Whoever sends it too slowly is given up, see `pace`: except while the app answers already, as both may then wait for
//! each other, and except streams of any length to apps that speak HTTP/2, whose messages come when there are any.

mod held;
mod patience;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::arriving::{Arriving, ArrivingError};
use crate::shared::Shared;

use held::{Held, length};
use patience::Patience;

/// Longer than any body.
const UNLIMITED: u64 = u64::MAX;

/// A request's body. Clones share it: a try that never touched it leaves it to the next.
#[derive(Clone)]
pub(crate) struct Upload(Option<Arc<Source>>);

struct Source {
    body: Mutex<Held>,
    patience: Patience,
    /// How many bytes are allowed in all.
    limit: AtomicU64,
    /// How many bytes are still allowed.
    left: AtomicU64,
    touched: AtomicBool,
    ended: AtomicBool,
    too_large: AtomicBool,
    broken: AtomicBool,
    slow: AtomicBool,
}

/// Why a body cannot be passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The client stopped or garbled it.
    #[error("failed to read the request's body")]
    Broken(#[source] ArrivingError),
    /// It is larger than allowed.
    #[error("the request's body is larger than this router allows")]
    TooLarge,
    /// The client sends it too slowly.
    #[error("the request's body came too slowly")]
    TooSlow,
}

impl Upload {
    /// Passes on `body`, of any length until a limit is known.
    pub(crate) fn new(body: Arriving, shared: &Arc<Shared>) -> Self {
        if body.is_end_stream() {
            return Self(None);
        }
        Self(Some(Arc::new(Source {
            body: Mutex::new(Held::new(body)),
            patience: Patience::new(shared),
            limit: AtomicU64::new(UNLIMITED),
            left: AtomicU64::new(UNLIMITED),
            touched: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            too_large: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            slow: AtomicBool::new(false),
        })))
    }

    /// Passes on `limit` bytes at most; to be said before anything is taken.
    pub(crate) fn limit(&self, limit: Option<u64>) {
        if let Some(source) = &self.0 {
            source.limit.store(limit.unwrap_or(UNLIMITED), Relaxed);
            source.left.store(limit.unwrap_or(UNLIMITED), Relaxed);
        }
    }

    /// Takes in as much as `room` is for, or all if that is less: a slow client then costs no container anything. What was
    /// taken in is as good as not touched. Whether the client did not stop meanwhile, and was not too slow.
    pub(crate) async fn take_in(&self, room: OwnedSemaphorePermit) -> bool {
        let Some(source) = &self.0 else { return true };
        let limit = room.num_permits() as u64;
        source.lock().room = Some(room);
        poll_fn(|context| source.poll_take_in(context, limit)).await
    }

    /// Whether there is a body at all.
    pub(crate) fn exists(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a part of it has been taken: it cannot be sent again.
    pub(crate) fn is_touched(&self) -> bool {
        self.0.as_ref().is_some_and(|source| source.touched.load(Relaxed))
    }

    /// Whether nothing is left to send.
    pub(crate) fn is_sent(&self) -> bool {
        self.0.as_ref().is_none_or(|source| source.ended.load(Relaxed))
    }

    /// How many bytes of it have been taken.
    pub(crate) fn received(&self) -> u64 {
        self.0
            .as_ref()
            .map_or(0, |source| source.limit.load(Relaxed).saturating_sub(source.left.load(Relaxed)))
    }

    /// Whether it was larger than allowed.
    pub(crate) fn is_too_large(&self) -> bool {
        self.0.as_ref().is_some_and(|source| source.too_large.load(Relaxed))
    }

    /// Whether the client sent it too slowly.
    pub(crate) fn is_slow(&self) -> bool {
        self.0.as_ref().is_some_and(|source| source.slow.load(Relaxed))
    }

    /// Whether an answer is under way.
    pub(crate) fn set_answering(&self, is_answering: bool) {
        if let Some(source) = &self.0 {
            source.patience.is_answering.store(is_answering, Relaxed);
        }
    }

    /// Lets it come as slowly as it likes, if nobody said how long it is.
    pub(crate) fn allow_streams(&self) {
        if let Some(source) = &self.0 {
            let is_stream = source.lock().size_hint().exact().is_none();
            source.patience.is_stream.store(is_stream, Relaxed);
        }
    }

    /// Whether the client stopped sending it.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.as_ref().is_some_and(|source| source.broken.load(Relaxed))
    }
}

impl Source {
    fn poll_frame(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let mut body = self.lock();
        let Poll::Ready(frame) = body.poll_frame(context, &self.patience) else {
            ready!(body.poll_overdue(context, &self.patience));
            self.touched.store(true, Relaxed);
            self.slow.store(true, Relaxed);
            return Poll::Ready(Some(Err(UploadError::TooSlow)));
        };
        self.touched.store(true, Relaxed);
        let result = match frame {
            None => None,
            Some(Ok(frame)) => Some(self.count(frame)),
            Some(Err(error)) => {
                self.broken.store(true, Relaxed);
                Some(Err(UploadError::Broken(error)))
            }
        };
        if result.is_none() || body.is_end_stream() {
            self.ended.store(true, Relaxed);
        }
        Poll::Ready(result)
    }

    fn poll_take_in(&self, context: &mut Context<'_>, limit: u64) -> Poll<bool> {
        let mut body = self.lock();
        if let Poll::Ready(is_whole) = body.poll_take_in(context, limit, &self.patience) {
            return Poll::Ready(is_whole);
        }
        ready!(body.poll_overdue(context, &self.patience));
        self.slow.store(true, Relaxed);
        Poll::Ready(false)
    }

    fn count(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, UploadError> {
        match self.left.load(Relaxed).checked_sub(length(&frame)) {
            Some(left) => {
                self.left.store(left, Relaxed);
                Ok(frame)
            }
            None => {
                self.too_large.store(true, Relaxed);
                Err(UploadError::TooLarge)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        match &self.0 {
            Some(source) => source.poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|source| source.lock().is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |source| source.lock().size_hint())
    }
}
