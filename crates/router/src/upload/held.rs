//! A body, and what was taken in of it before anybody wanted it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::patience::Patience;
use crate::arriving::{Arriving, ArrivingError};
use crate::vigil::Vigil;

type Received = Poll<Option<Result<Frame<Bytes>, ArrivingError>>>;

/// A body, and what was taken in of it before anybody wanted it.
pub(super) struct Held {
    rest: Arriving,
    taken: VecDeque<Frame<Bytes>>,
    taken_bytes: u64,
    /// Room for what was taken in.
    pub(super) room: Option<OwnedSemaphorePermit>,
    vigil: Vigil,
}

impl Held {
    /// `body`, of which nothing was taken in.
    pub(super) fn new(body: Arriving) -> Self {
        let (taken, vigil) = (VecDeque::new(), Vigil::default());
        Self { rest: body, taken, taken_bytes: 0, room: None, vigil }
    }

    /// Takes in up to `limit` bytes; whether it did not break off.
    pub(super) fn poll_take_in(
        &mut self,
        context: &mut Context<'_>,
        limit: u64,
        patience: &Patience,
    ) -> Poll<bool> {
        while self.taken_bytes < limit {
            match ready!(self.poll_rest(context, patience)) {
                Some(Ok(frame)) => {
                    self.taken_bytes += length(&frame);
                    self.taken.push_back(frame);
                }
                Some(Err(_)) => return Poll::Ready(false),
                None => break,
            }
        }
        Poll::Ready(true)
    }

    /// The next part, what was taken in first.
    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>, patience: &Patience) -> Received {
        let Some(frame) = self.taken.pop_front() else {
            self.room = None;
            return self.poll_rest(context, patience);
        };
        self.taken_bytes -= length(&frame);
        Poll::Ready(Some(Ok(frame)))
    }

    fn poll_rest(&mut self, context: &mut Context<'_>, patience: &Patience) -> Received {
        let frame = ready!(Pin::new(&mut self.rest).poll_frame(context));
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()).map_or(0, length);
        self.vigil.note(&patience.shared, bytes);
        Poll::Ready(frame)
    }

    /// Waits until the client, which is waited for, is too slow.
    pub(super) fn poll_overdue(&mut self, context: &mut Context<'_>, patience: &Patience) -> Poll<()> {
        if patience.is_stream.load(Relaxed) {
            return Poll::Pending;
        }
        self.vigil.poll_overdue(context, &patience.shared, patience.is_answering.load(Relaxed))
    }

    /// Whether nothing more comes.
    pub(super) fn is_end_stream(&self) -> bool {
        self.taken.is_empty() && self.rest.is_end_stream()
    }

    /// How long all of it is.
    pub(super) fn size_hint(&self) -> SizeHint {
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(self.taken_bytes.saturating_add(upper));
        }
        hint.set_lower(self.taken_bytes.saturating_add(rest.lower()));
        hint
    }
}

/// How many bytes of data `frame` holds.
pub(super) fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}
