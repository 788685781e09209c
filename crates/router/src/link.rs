//! One connection to an endpoint.
//!
//! Whoever uses the connection also drives it: no second task and no hand-over between cores for the common
//! request. It gets a task of its own only when an answer begins while the request's body is still under way, or
//! for an upgrade.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

use crate::clock::Millis;
use crate::pool::Keep;
use crate::stream::{Haste, Stream, is_lost};
use crate::upload::Upload;

type Connection = http1::Connection<TokioIo<Stream>, Upload>;

/// The largest body that any container takes in at once: what the system keeps for it, read or not, is more.
const SMALL_BYTES: u64 = 16 * 1024;

/// One connection to an endpoint.
pub(crate) struct Link {
    sender: http1::SendRequest<Upload>,
    /// None once it has a task of its own, or has ended. Boxed, as links are passed around with every request.
    connection: Option<Box<Connection>>,
    /// How long the container said it keeps it open when idle.
    keep_alive: Option<Millis>,
    haste: Haste,
    is_tunnel: bool,
    /// Whether it has carried a request before.
    pub(crate) is_used: bool,
}

/// Why an exchange brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The connection was closed before anything was sent.
    #[error("the connection was closed before the request was sent")]
    Unsent(#[source] hyper::Error),
    /// The endpoint says that it did not begin with the request.
    #[error("the endpoint did not take the request")]
    Untaken(#[source] hyper::Error),
    /// The connection ended after the request was, or may have been, sent.
    #[error("the connection ended before an answer")]
    Unanswered(#[source] hyper::Error),
    /// The endpoint's host is gone, as far as can be known.
    #[error("the endpoint's host does not answer any more")]
    Lost(#[source] hyper::Error),
    /// The answer is not HTTP.
    #[error("the answer is not HTTP")]
    Garbled(#[source] hyper::Error),
}

impl Link {
    /// Connects to `address`; with `tls`, to whom that expects.
    pub(crate) async fn connect(
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        timeout: Duration,
    ) -> io::Result<Self> {
        let haste = Haste::default();
        let stream = Stream::connect(address, tls, timeout, haste.clone()).await?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(64 * 1024);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let connection = Some(Box::new(connection));
        Ok(Self { sender, connection, keep_alive: None, haste, is_tunnel: false, is_used: false })
    }

    /// Sends `request` and waits for the head of the answer; the body arrives while the link is driven.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, ExchangeError> {
        self.is_used = true;
        self.haste.set(!self.is_tunnel && is_small(&request));
        let mut answer = pin!(self.sender.try_send_request(request));
        let connection = &mut self.connection;
        let answer = poll_fn(|context| {
            drive(connection, context);
            answer.as_mut().poll(context)
        });
        match answer.await {
            Ok(response) => {
                let value = response.headers().get("keep-alive").and_then(|value| value.to_str().ok());
                self.keep_alive = value.and_then(keep_alive);
                Ok(response)
            }
            Err(error) => {
                let was_sent = error.message().is_none();
                Err(classify(error.into_error(), was_sent))
            }
        }
    }

    /// Lets the connection make progress; wakes the caller's task when there is more.
    pub(crate) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.connection, context);
    }

    /// Gives the connection a task of its own.
    pub(crate) fn let_go(&mut self) {
        if let Some(connection) = self.connection.take() {
            tokio::spawn(connection);
        }
    }

    /// The same for a connection that may turn into something else than HTTP.
    pub(crate) fn let_go_for_upgrade(&mut self) {
        self.is_tunnel = true;
        if let Some(connection) = self.connection.take() {
            tokio::spawn(connection.with_upgrades());
        }
    }
}

impl Keep for Link {
    fn is_alive(&mut self, context: &mut Context<'_>) -> bool {
        drive(&mut self.connection, context);
        self.sender.is_ready()
    }

    /// Less than the container said, as it counts from earlier.
    fn keep_alive(&self) -> Option<Millis> {
        self.keep_alive
    }
}

fn drive(slot: &mut Option<Box<Connection>>, context: &mut Context<'_>) {
    if let Some(connection) = slot
        && let Poll::Ready(ended) = Pin::new(connection).poll(context)
    {
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection to an endpoint broke");
        }
        *slot = None;
    }
}

fn classify(error: hyper::Error, was_sent: bool) -> ExchangeError {
    match error {
        error if !was_sent => ExchangeError::Unsent(error),
        error if is_lost(&error) => ExchangeError::Lost(error),
        error if error.is_parse() => ExchangeError::Garbled(error),
        error => ExchangeError::Unanswered(error),
    }
}

/// Whether nothing of it waits for the container to read.
fn is_small(request: &Request<Upload>) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    !request.body().exists() || length.is_some_and(|length: u64| length <= SMALL_BYTES)
}

/// What `Keep-Alive: timeout=5` leaves: a second less, or half of a very short one.
pub(crate) fn keep_alive(value: &str) -> Option<Millis> {
    let (_, seconds) = value
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
    let millis = seconds.trim().parse::<u32>().ok()? as Millis * 1000;
    Some(millis.saturating_sub(1000).max(millis / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<Millis>) {
        assert_eq!(keep_alive(value), expected, "{value}");
    }

    #[test]
    fn a_link_is_given_up_before_the_container_closes_it() {
        check("timeout=5", Some(4_000));
        check("max=100, Timeout = 2", Some(1_000));
        check("timeout=1", Some(500));
        check("timeout=0", Some(0));
        check("max=100", None);
        check("timeout=soon", None);
    }
}
