//! The body of an answer on its way to a client, as fast as the client takes it.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;

use super::alarm::Alarm;
use crate::shared::Shared;

/// How much is handed over before it is known whether the client takes it: less than what waits for it anyway.
const BEGINNING_BYTES: usize = 16 * 1024;

/// How often it is looked whether a client that takes nothing is in the way of others, at most: a fraction of the time that
/// it has then.
const FRACTION: u32 = 4;

/// The body of an answer on its way.
pub(super) struct Delivery<'a> {
    stream: SendStream<Bytes>,
    has_begun: bool,
    /// How long the part that was handed over last is.
    waiting_bytes: usize,
    patience: Patience<'a>,
}

/// For how long an answer may not go on.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    /// Knows how long clients may take for a part of it.
    pub(super) shared: &'a Shared,
    /// For which nothing may move, whoever's fault that is.
    pub(super) idle: Duration,
}

impl Patience<'_> {
    /// Whether a client is given up that has taken nothing for as long as `waited`, of so many bytes.
    fn is_over(self, waited: Duration, bytes: usize) -> bool {
        let is_in_the_way = self.shared.places.are_taken() && waited >= self.shared.patience_with_readers();
        is_in_the_way || waited >= self.longest(bytes)
    }

    fn longest(self, bytes: usize) -> Duration {
        self.idle.min(self.shared.time_to_take(bytes))
    }

    /// After which time it is to be asked.
    fn pause(self, bytes: usize) -> Duration {
        self.longest(bytes).min(self.shared.config.timeouts.body) / FRACTION
    }
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
    /// The app does not go on with it.
    #[error("the app stopped in the middle of it")]
    Stopped,
    /// See there.
    #[error("failed to send it")]
    Broken(#[from] h2::Error),
}

impl<'a> Delivery<'a> {
    /// Over `stream`, to a client that is waited for as long as `patience` lasts.
    pub(super) fn new(stream: SendStream<Bytes>, patience: Patience<'a>) -> Self {
        Self { stream, has_begun: false, waiting_bytes: 0, patience }
    }

    /// How long either end may do nothing.
    pub(super) fn idle(&self) -> Duration {
        self.patience.idle
    }

    /// Hands `data` over, once the client takes what was handed over before.
    pub(super) async fn data(&mut self, data: Bytes, is_last: bool) -> Result<(), Undelivered> {
        let is_beginning = !std::mem::replace(&mut self.has_begun, true) && data.len() <= BEGINNING_BYTES;
        if !is_beginning && !data.is_empty() {
            self.room().await?;
        }
        self.waiting_bytes = data.len();
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
        let (patience, bytes, began) = (self.patience, self.waiting_bytes, Instant::now());
        let mut alarm = Alarm::new(patience.pause(bytes));
        poll_fn(|context| {
            while self.stream.capacity() == 0 {
                match self.stream.poll_capacity(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                    Poll::Ready(None) => return Poll::Ready(Err(Undelivered::Left)),
                    Poll::Pending if !alarm.is_due(context) => return Poll::Pending,
                    Poll::Pending if patience.is_over(began.elapsed(), bytes) => {
                        self.stream.send_reset(Reason::CANCEL);
                        return Poll::Ready(Err(Undelivered::Overdue));
                    }
                    Poll::Pending => alarm = Alarm::new(patience.pause(bytes)),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}
