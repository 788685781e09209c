//! A request's body as it arrives, whatever its client speaks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::http2::{Streamed, Tube};

/// What follows the head of a request.
pub(crate) enum Arriving {
    /// A body over HTTP/1.
    Http1(Incoming),
    /// The same over HTTP/2.
    Http2(Streamed),
    /// No body, but bytes both ways once the request has been agreed to. Only over HTTP/2.
    Tunnel(oneshot::Receiver<Tube>),
    /// Nothing.
    Nothing,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArrivingError {
    /// Over HTTP/1.
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    /// Over HTTP/2.
    #[error(transparent)]
    Http2(#[from] h2::Error),
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = ArrivingError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ArrivingError>>> {
        match &mut *self {
            Self::Http1(body) => Pin::new(body).poll_frame(context).map_err(ArrivingError::from),
            Self::Http2(body) => body.poll_frame(context).map_err(ArrivingError::from),
            Self::Tunnel(_) | Self::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Tunnel(_) | Self::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Tunnel(_) | Self::Nothing => SizeHint::with_exact(0),
        }
    }
}
