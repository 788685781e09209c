//! How a client's connection brings the body of its present request to the app.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::h1::ask::Ask;
use crate::h1::buffer::Buffer;
use crate::h1::line::Line;
use crate::h1::session::Session;
use crate::h1::upload::{Sender, Stop, Upload};
use crate::h1::wire::Wire;
use crate::page::Failure;

impl<S: Line> Session<'_, S> {
    /// Begins with the body of `ask`, which is the first that is incoming, if it is not all there with its head.
    pub(in crate::h1) fn begin_upload(&mut self, ask: &Ask) -> Result<(), Failure> {
        let arrived = self.incoming.as_ref().map_or(0, |incoming| incoming.filled().len());
        if !ask.is_chunked && arrived >= ask.head_bytes + ask.body_bytes {
            return Ok(());
        }
        // Also one that is refused at once stays: what is left of it is not the next request.
        let upload = self.upload.insert(Box::new(Upload::new(ask)));
        upload.begin(ask, self.shared, &mut self.incoming)
    }

    /// Whether nothing of the present request's body is still to be sent.
    pub(in crate::h1) fn has_asked(&self) -> bool {
        self.upload.as_ref().is_none_or(|upload| upload.is_sent())
    }

    /// Whether the client may take its time with the present request's body.
    pub(in crate::h1) fn excuse(&mut self, is_excused: bool) {
        if let Some(upload) = &mut self.upload {
            upload.is_excused = is_excused;
        }
    }

    /// Brings what the client sends of the present request's body to `wire`. Ready when nothing is to be done for that.
    pub(in crate::h1) fn poll_upload(
        &mut self,
        context: &mut Context<'_>,
        wire: &mut Wire,
    ) -> Poll<Result<(), Stop>> {
        let Some(upload) = &mut self.upload else { return Poll::Ready(Ok(())) };
        let sender = Sender { shared: self.shared, stream: &mut self.stream, incoming: &mut self.incoming };
        upload.poll(context, sender, wire)
    }

    /// Whether the client has left, or sends what nobody can take, while it is answered. What it sends moves over `wire`.
    pub(in crate::h1) fn is_left(&mut self, context: &mut Context<'_>, wire: Option<&mut Wire>) -> bool {
        let Some(wire) = wire.filter(|_| !self.has_asked()) else { return self.is_client_gone(context) };
        let received = |session: &Self| session.upload.as_ref().map_or(0, |upload| upload.received);
        let before = received(self);
        let is_left = matches!(self.poll_upload(context, wire), Poll::Ready(Err(_)));
        if received(self) > before {
            self.pulse.until(self.shared.clock.now(), self.idle);
        }
        is_left
    }

    /// Sends over `wire` what the client still sends, after it has been answered; whether that is all, and the app says no
    /// more.
    pub(in crate::h1) async fn send_rest(&mut self, wire: &mut Wire) -> bool {
        self.excuse(false);
        poll_fn(|context| {
            let is_left = self.is_left(context, Some(wire));
            let is_silent = Buffer::small().poll_fill(context, &mut wire.stream).is_pending();
            match self.has_asked() {
                true => Poll::Ready(is_silent),
                false if is_left || !is_silent || self.pulse.is_overdue(self.shared) => Poll::Ready(false),
                false => Poll::Pending,
            }
        })
        .await
    }
}
