//! The page of metrics on its way to one reader: compressed if he takes that, and for no longer than he may take.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Exposition;
use crate::compress::{Coded, CompressError, Encoder};

/// The page, until its last piece is taken or its reader is too slow.
pub(crate) struct Reading {
    page: Coded<Exposition>,
    deadline: Instant,
    /// Among those who read at a time: each holds what the page tells of.
    _place: OwnedSemaphorePermit,
}

/// Why a page breaks off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadingError {
    /// Its reader is too slow: what it tells is old by now.
    #[error("its reader did not take it in time")]
    Late,
    /// Its coding failed.
    #[error(transparent)]
    Coding(#[from] CompressError<Infallible>),
}

impl Reading {
    /// `page` for a reader who may take so long, compressed by `encoder` if there is one.
    pub(crate) fn new(
        page: Exposition,
        encoder: Option<Encoder>,
        limit: Duration,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { page: Coded::new(page, encoder), deadline: Instant::now() + limit, _place: place }
    }
}

impl Body for Reading {
    type Data = Bytes;
    type Error = ReadingError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadingError>>> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(Some(Err(ReadingError::Late)));
        }
        Pin::new(&mut self.page).poll_frame(context).map_err(ReadingError::Coding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use tokio::sync::Semaphore;

    fn reading(places: &Arc<Semaphore>, limit: Duration) -> Reading {
        let page = Exposition::new("general 1\n".to_owned(), &[]);
        Reading::new(page, None, limit, Arc::clone(places).try_acquire_owned().unwrap())
    }

    #[tokio::test]
    async fn a_page_breaks_off_when_its_reader_is_too_slow() {
        let places = Arc::new(Semaphore::new(1));
        let page = reading(&places, Duration::from_secs(3600)).collect().await.unwrap().to_bytes();
        assert!(page.starts_with(b"general 1\n"));
        assert_eq!(places.available_permits(), 1);
        let mut late = reading(&places, Duration::ZERO);
        assert!(matches!(late.frame().await, Some(Err(ReadingError::Late))));
    }
}
