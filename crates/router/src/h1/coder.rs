//! An answer's body, compressed on its way to the client.
//!
//! Nothing is held back for the sake of compressing better: what the app has said so far goes out before anybody waits
//! for the rest.

use std::future::poll_fn;
use std::io::{IoSlice, Write};
use std::ops::Range;
use std::task::Poll;

use crate::compress::{Encoder, TURN_BYTES};
use crate::h1::buffer::{Buffer, Text};
use crate::h1::chunks::Part;
use crate::h1::line::Line;
use crate::h1::relay::{Broken, Relay};
use crate::h1::session::Session;

/// How much is collected before it is sent.
const FULL_BYTES: usize = 32 * 1024;

/// An answer's body that is compressed.
pub(super) struct Coder<'a> {
    relay: Relay,
    encoder: Encoder,
    /// Whether something was compressed that has not come out.
    holds_back: bool,
    /// What is ready to be sent.
    out: Text,
    /// What follows the last chunk, if the app's body has such a thing.
    trailers: Vec<u8>,
    /// How many bytes of the compressed body went out.
    sent: &'a mut u64,
}

impl<'a> Coder<'a> {
    /// What `relay` brings, compressed by `encoder` and sent after `head`; says in `sent` how much that is.
    pub(super) fn new(relay: Relay, encoder: Encoder, head: Text, sent: &'a mut u64) -> Self {
        Self { relay, encoder, holds_back: false, out: head, trailers: Vec::new(), sent }
    }

    /// Sends the head, what of the body `buffer` holds, then all that is still to come.
    pub(super) async fn run<S: Line>(
        mut self,
        session: &mut Session<'_, S>,
        buffer: Buffer,
    ) -> Result<(), Broken> {
        let brought = self.bring(session, buffer).await;
        if brought.is_err() {
            // The client is to see that the answer began, and that it broke off.
            self.send(session).await?;
        }
        brought?;
        self.end(session).await
    }

    /// Compresses all of the body; sends what is too much to collect.
    async fn bring<S: Line>(&mut self, session: &mut Session<'_, S>, buffer: Buffer) -> Result<(), Broken> {
        self.take_in(session, &buffer).await?;
        drop(buffer);
        while !self.relay.body.is_over() {
            match self.next(session).await? {
                Some(buffer) => self.take_in(session, &buffer).await?,
                None => self.relay.body.end()?,
            }
        }
        Ok(())
    }

    /// What arrives next; none at the end of the connection. Nothing is kept back while it is waited for.
    async fn next<S: Line>(&mut self, session: &mut Session<'_, S>) -> Result<Option<Buffer>, Broken> {
        let mut buffer = None;
        let relay = &mut self.relay;
        let at_hand = poll_fn(|context| Poll::Ready(relay.poll_read(context, session, &mut buffer))).await;
        let arrived = match at_hand {
            Poll::Ready(arrived) => arrived?,
            Poll::Pending => {
                if std::mem::take(&mut self.holds_back) {
                    self.encoder.flush().map_err(Broken::Encoder)?;
                    self.collect();
                }
                self.send(session).await?;
                poll_fn(|context| self.relay.poll_read(context, session, &mut buffer)).await?
            }
        };
        Ok(buffer.filter(|_| arrived > 0))
    }

    /// Compresses what of the body is in `buffer`.
    async fn take_in<S: Line>(
        &mut self,
        session: &mut Session<'_, S>,
        buffer: &Buffer,
    ) -> Result<(), Broken> {
        let (mut places, trailers): (Vec<Range<usize>>, _) = (Vec::new(), &mut self.trailers);
        self.relay.body.take_in(buffer.filled(), |part| match part {
            Part::Data(place) => places.push(place),
            Part::Trailer(byte) => trailers.push(byte),
        })?;
        for place in places {
            for turn in buffer.filled()[place].chunks(TURN_BYTES) {
                self.encoder.write(turn).map_err(Broken::Encoder)?;
                self.holds_back = true;
                self.collect();
                if self.out.len() >= FULL_BYTES {
                    self.send(session).await?;
                }
                // It is the turn of whoever else the core serves.
                if turn.len() == TURN_BYTES {
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(())
    }

    /// Makes a chunk of what has come out.
    fn collect(&mut self) {
        let chunk = self.encoder.take();
        *self.sent += chunk.len() as u64;
        put_chunk(&mut self.out, &chunk);
    }

    async fn send<S: Line>(&mut self, session: &mut Session<'_, S>) -> Result<(), Broken> {
        let sent = self.relay.send_parts(session, &mut [IoSlice::new(&self.out)]).await;
        // What a client does not take it is not offered again.
        self.out.clear();
        sent
    }

    async fn end<S: Line>(self, session: &mut Session<'_, S>) -> Result<(), Broken> {
        let Self { mut relay, encoder, mut out, trailers, sent, .. } = self;
        let trailers: &[u8] = if trailers.is_empty() { b"\r\n" } else { &trailers };
        let last = encoder.finish().map_err(Broken::Encoder)?;
        *sent += last.len() as u64;
        put_chunk(&mut out, &last);
        out.extend_from_slice(b"0\r\n");
        relay.send_parts(session, &mut [IoSlice::new(&out), IoSlice::new(trailers)]).await?;
        relay.settle(session).await;
        Ok(())
    }
}

/// An empty chunk would be the last.
fn put_chunk(out: &mut Text, chunk: &[u8]) {
    if !chunk.is_empty() {
        // Writing to memory cannot fail.
        let _ = write!(**out, "{:x}\r\n", chunk.len());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
}
