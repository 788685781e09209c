//! An answer's body, compressed on its way to a client that speaks HTTP/2.
//!
//! Nothing is held back for the sake of compressing better: what the app has said so far goes out before anybody waits
//! for the rest.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use http::Response;

use super::delivery::{Delivery, Patience, Undelivered};
use super::relay::{Broken, Relay};
use crate::compress::{Encoder, TURN_BYTES};
use crate::h1::Buffer;

/// An answer's body that is compressed.
pub(super) struct Coder<'a> {
    relay: Relay,
    encoder: Encoder,
    /// Whether something was compressed that has not come out.
    holds_back: bool,
    /// How many bytes of the compressed body went out.
    sent: &'a mut u64,
}

impl<'a> Coder<'a> {
    /// What `relay` brings, compressed by `encoder`; says in `sent` how much goes out.
    pub(super) fn new(relay: Relay, encoder: Encoder, sent: &'a mut u64) -> Self {
        Self { relay, encoder, holds_back: false, sent }
    }

    /// Sends `head`, what of the body `buffer` holds, then all that is still to come, for as long as `patience` lasts.
    pub(super) async fn run(
        mut self,
        head: Response<()>,
        buffer: Buffer,
        respond: &mut SendResponse<Bytes>,
        patience: Patience<'_>,
    ) -> Result<(), Broken> {
        let first = self.relay.take_in(buffer.filled())?;
        drop(buffer);
        let stream = respond.send_response(head, false).map_err(Undelivered::from)?;
        let mut delivery = Delivery::new(stream, patience);
        let passed = self.pass_on(&mut delivery, first).await;
        if matches!(passed, Err(Broken::App(_) | Broken::Encoder(_))) {
            delivery.break_off().await;
        }
        passed
    }

    async fn pass_on(mut self, delivery: &mut Delivery<'_>, first: Bytes) -> Result<(), Broken> {
        self.encode(delivery, &first).await?;
        while !self.relay.is_over() {
            let data = self.next(delivery).await?;
            self.encode(delivery, &data).await?;
        }
        let last = self.encoder.finish().map_err(Broken::Encoder)?;
        *self.sent += last.len() as u64;
        let has_trailers = self.relay.has_trailers();
        delivery.data(last, !has_trailers).await?;
        if has_trailers { self.relay.send_trailers(delivery) } else { Ok(()) }
    }

    /// What arrives next. Nothing is kept back while it is waited for.
    async fn next(&mut self, delivery: &mut Delivery<'_>) -> Result<Bytes, Broken> {
        let at_hand = {
            let mut reading = pin!(self.relay.read(delivery));
            poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await
        };
        if let Poll::Ready(data) = at_hand {
            return data;
        }
        if std::mem::take(&mut self.holds_back) {
            self.encoder.flush().map_err(Broken::Encoder)?;
            self.send(delivery).await?;
        }
        self.relay.read(delivery).await
    }

    /// Compresses `data` and sends what comes out.
    async fn encode(&mut self, delivery: &mut Delivery<'_>, data: &Bytes) -> Result<(), Broken> {
        for turn in data.chunks(TURN_BYTES) {
            self.encoder.write(turn).map_err(Broken::Encoder)?;
            self.holds_back = true;
            self.send(delivery).await?;
            // It is the turn of whoever else the core serves.
            if turn.len() == TURN_BYTES {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Sends what has come out.
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Result<(), Broken> {
        let data = self.encoder.take();
        if data.is_empty() {
            return Ok(());
        }
        *self.sent += data.len() as u64;
        Ok(delivery.data(data, false).await?)
    }
}
