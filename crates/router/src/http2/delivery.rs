//! The body of an answer on its way to a client, as fast as the client takes it.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;

use super::alarm::Alarm;

/// How much is handed over before it is known whether the client takes it: less than what waits for it anyway.
const BEGINNING_BYTES: usize = 16 * 1024;

/// The body of an answer on its way.
pub(super) struct Delivery {
    stream: SendStream<Bytes>,
    has_begun: bool,
    /// How long the client may take for a part of it.
    longest: Duration,
}

/// Why a body was not delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelivered {
    /// The client wants no more of it, or is gone.
    #[error("the client left")]
    Left,
    /// It takes nothing for too long.
    #[error("the client takes nothing")]
    Overdue,
    /// See there.
    #[error("failed to send it")]
    Broken(#[from] h2::Error),
}

impl Delivery {
    /// Over `stream`, to a client that may take up to `longest` for a part of it.
    pub(super) fn new(stream: SendStream<Bytes>, longest: Duration) -> Self {
        Self { stream, has_begun: false, longest }
    }

    /// How long either end may do nothing.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// Hands `data` over, once the client takes what was handed over before.
    pub(super) async fn data(&mut self, data: Bytes, is_last: bool) -> Result<(), Undelivered> {
        let is_beginning = !std::mem::replace(&mut self.has_begun, true) && data.len() <= BEGINNING_BYTES;
        if !is_beginning && !data.is_empty() {
            self.room().await?;
        }
        Ok(self.stream.send_data(data, is_last)?)
    }

    /// Ends it with `trailers`.
    pub(super) fn trailers(&mut self, trailers: HeaderMap) -> Result<(), Undelivered> {
        Ok(self.stream.send_trailers(trailers)?)
    }

    /// Breaks it off, for the client to see, after what was handed over.
    pub(super) async fn break_off(&mut self) {
        // The library throws away what it has not sent: it gets a turn before.
        tokio::task::yield_now().await;
        self.stream.send_reset(Reason::INTERNAL_ERROR);
    }

    /// Whether the client wants no more of it. To be asked while nothing is there to be handed over.
    pub(super) fn is_left(&mut self, context: &mut Context<'_>) -> bool {
        self.stream.poll_reset(context).is_ready()
    }

    async fn room(&mut self) -> Result<(), Undelivered> {
        // The least: whatever is reserved is taken from other streams, and handing over reserves the rest.
        self.stream.reserve_capacity(1);
        let mut alarm = Alarm::new(self.longest);
        poll_fn(|context| {
            while self.stream.capacity() == 0 {
                match self.stream.poll_capacity(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                    Poll::Ready(None) => return Poll::Ready(Err(Undelivered::Left)),
                    Poll::Pending if alarm.is_due(context) => {
                        self.stream.send_reset(Reason::CANCEL);
                        return Poll::Ready(Err(Undelivered::Overdue));
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}
