//! An answer's body on its way from an app that speaks HTTP/1.1 to a client that speaks HTTP/2.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use http::Response;

use super::alarm::Alarm;
use super::delivery::{Delivery, Patience, Undelivered};
use super::outline::trailers;
use crate::h1::{Body, Buffer, Part, Unfinished};

/// An answer's body.
pub(super) struct Relay {
    body: Body,
    /// What follows the last chunk, if it comes in chunks.
    trailers: Vec<u8>,
}

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// By its client.
    #[error(transparent)]
    Client(#[from] Undelivered),
    /// By its app.
    #[error(transparent)]
    App(#[from] Unfinished),
    /// By what compresses it.
    #[error("failed to compress it")]
    Encoder(#[source] io::Error),
}

impl Relay {
    /// What `body` brings.
    pub(super) fn new(body: Body) -> Self {
        Self { body, trailers: Vec::new() }
    }

    /// Sends `head`, what of the body `buffer` holds, then all that is still to come, for as long as `patience` lasts. Says
    /// in `sent` how much went.
    pub(super) async fn run(
        mut self,
        head: Response<()>,
        buffer: Buffer,
        respond: &mut SendResponse<Bytes>,
        patience: Patience<'_>,
        sent: &mut u64,
    ) -> Result<(), Broken> {
        let data = self.take_in(buffer.filled())?;
        drop(buffer);
        let is_whole = self.body.is_over() && data.is_empty() && !self.has_trailers();
        let stream = respond.send_response(head, is_whole).map_err(Undelivered::from)?;
        if is_whole {
            return Ok(());
        }
        let mut delivery = Delivery::new(stream, patience);
        let passed = self.pass_on(&mut delivery, data, sent).await;
        if matches!(passed, Err(Broken::App(_))) {
            delivery.break_off().await;
        }
        passed
    }

    async fn pass_on(
        &mut self,
        delivery: &mut Delivery<'_>,
        first: Bytes,
        sent: &mut u64,
    ) -> Result<(), Broken> {
        let mut data = first;
        loop {
            let (is_over, has_trailers) = (self.body.is_over(), self.has_trailers());
            let count = data.len() as u64;
            let is_last = is_over && !has_trailers;
            if count > 0 || is_last {
                delivery.data(data, is_last).await?;
                *sent += count;
            }
            if is_over {
                return if has_trailers { self.send_trailers(delivery) } else { Ok(()) };
            }
            data = self.read(delivery).await?;
        }
    }

    /// Whether all of it has arrived.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_over()
    }

    /// What of the body arrives next; empty at its end, and after marks of chunks alone. Nothing is lost if nobody waits for
    /// it.
    pub(super) async fn read(&mut self, delivery: &mut Delivery<'_>) -> Result<Bytes, Broken> {
        let (mut buffer, mut alarm) = (None, Alarm::new(delivery.idle()));
        let arrived = poll_fn(|context| {
            let mut arriving = Buffer::medium();
            let polled = self.body.poll_fill(context, &mut arriving);
            buffer = Some(arriving).filter(|arriving| !arriving.is_empty());
            if polled.is_pending() && delivery.is_left(context) {
                return Poll::Ready(Err(Broken::Client(Undelivered::Left)));
            }
            if polled.is_pending() && alarm.is_due(context) {
                return Poll::Ready(Err(Unfinished::Broken(io::ErrorKind::TimedOut.into()).into()));
            }
            polled.map_err(Broken::from)
        });
        match (arrived.await?, buffer) {
            (1.., Some(buffer)) => Ok(self.take_in(buffer.filled())?),
            _ => {
                self.body.end()?;
                Ok(Bytes::new())
            }
        }
    }

    /// Takes note of `bytes` that have arrived; those that are the body's.
    pub(super) fn take_in(&mut self, bytes: &[u8]) -> Result<Bytes, Unfinished> {
        let (mut data, trailers) = (Vec::new(), &mut self.trailers);
        self.body.take_in(bytes, |part| match part {
            Part::Data(place) => data.extend_from_slice(&bytes[place]),
            Part::Trailer(byte) => trailers.push(byte),
        })?;
        Ok(data.into())
    }

    /// Whether something follows it.
    pub(super) fn has_trailers(&self) -> bool {
        // An empty line alone ends a body without any.
        self.trailers.len() > b"\r\n".len()
    }

    /// Sends what follows it.
    pub(super) fn send_trailers(&self, delivery: &mut Delivery<'_>) -> Result<(), Broken> {
        let trailers = trailers(&self.trailers).map_err(Unfinished::from)?;
        Ok(delivery.trailers(trailers)?)
    }
}
