//! The body of a reply on its way to the client, and with it the end of the visit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::compress::{Coded, CompressError};
use crate::download::Payload;
use crate::metrics::Event;
use crate::visit::Visit;

/// The body of a reply.
pub(crate) type Content = Coded<Payload>;

/// The same, which keeps its visit going.
pub(crate) struct Served {
    content: Content,
    visit: Visit,
    /// How long nothing of it may come, or be taken.
    pub(crate) idle: Duration,
}

impl Served {
    /// `content`, with whose last byte `visit` ends, and of which nothing may come for `idle`.
    pub(crate) fn new(content: Content, visit: Visit, idle: Duration) -> Self {
        Self { content, visit, idle }
    }
}

impl Body for Served {
    type Data = Bytes;
    type Error = CompressError<hyper::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.content).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.visit.sent(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(CompressError::Broken(_)))) => self.visit.note(Some(Event::CutOff)),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
