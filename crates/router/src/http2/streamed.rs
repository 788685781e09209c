//! A request's body as HTTP/2 brings it.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http_body::{Frame, SizeHint};

use crate::interim::Herald;

/// A request's body. The library holds it to the length that was announced.
pub(crate) struct Streamed {
    stream: RecvStream,
    /// What was taken of it before it was known whose it is.
    beginning: BytesMut,
    /// How much is still to come of the stream, if the client said so.
    left: Option<u64>,
    /// Tells the client to go on that waits for that.
    herald: Option<Herald>,
}

impl Streamed {
    /// The body in `stream`, whose request has these `headers`.
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let left = if stream.is_end_stream() { Some(0) } else { announced };
        Self { stream, beginning: BytesMut::new(), left, herald: None }
    }

    /// Has `herald` tell its client to go on once more of it is wanted than came. Source: RFC 9110 section 10.1.1.
    pub(super) fn announce(&mut self, herald: &Herald) {
        self.herald = Some(herald.clone());
    }

    /// All of it, if it is there and not longer than `longest`. Nothing is lost if it is not.
    pub(super) fn take_whole(&mut self, longest: u64, context: &mut Context<'_>) -> Option<Bytes> {
        if self.left.is_none_or(|left| left > longest) {
            return None;
        }
        while !self.stream.is_end_stream() {
            let Poll::Ready(Some(Ok(bytes))) = self.poll_data(context) else { return None };
            self.beginning.extend_from_slice(&bytes);
        }
        (self.left == Some(0)).then(|| self.beginning.split().freeze())
    }

    /// Gives back what was taken.
    pub(super) fn put_back(&mut self, bytes: &Bytes) {
        self.beginning.extend_from_slice(bytes);
    }

    /// What it comes over.
    pub(super) fn into_stream(self) -> RecvStream {
        self.stream
    }

    /// The next part of it.
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.beginning.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.beginning.split().freeze()))));
        }
        if let Some(data) = ready!(self.poll_data(context)) {
            return Poll::Ready(Some(data.map(Frame::data)));
        }
        let trailers = ready!(self.stream.poll_trailers(context)).transpose();
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)))
    }

    /// Whether nothing more comes.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.beginning.is_empty() && self.stream.is_end_stream()
    }

    /// How long it is.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let beginning = self.beginning.len() as u64;
        match self.left {
            Some(left) => SizeHint::with_exact(beginning + left),
            None => {
                let mut hint = SizeHint::new();
                hint.set_lower(beginning);
                hint
            }
        }
    }

    /// Data, for which the client may send as much more.
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let polled = self.stream.poll_data(context);
        if let Some(herald) = self.herald.take().filter(|_| polled.is_pending()) {
            herald.go_on();
        }
        let data = ready!(polled);
        if let Some(Ok(bytes)) = &data {
            self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
            // It fails only for more than what came.
            let _ = self.stream.flow_control().release_capacity(bytes.len());
        }
        Poll::Ready(data)
    }
}
