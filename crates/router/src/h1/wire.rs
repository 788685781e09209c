//! One connection to an endpoint, over which this path speaks itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use rustls::ClientConfig;

use crate::clock::Millis;
use crate::h1::buffer::Buffer;
use crate::pool::Keep;
use crate::stream::{Haste, Stream};

/// One connection to an endpoint.
pub(crate) struct Wire {
    /// Breaks when the endpoint's host is lost.
    pub(crate) stream: Stream,
    /// Whether what is sent next is small enough for any container to take in at once.
    pub(crate) haste: Haste,
    /// How long the container said it keeps it open when idle.
    pub(crate) keep_alive: Option<Millis>,
    /// Whether it has carried a request before.
    pub(crate) is_used: bool,
}

impl Wire {
    /// Connects to `address`; with `tls`, to whom that expects.
    pub(crate) async fn connect(
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        timeout: Duration,
    ) -> io::Result<Self> {
        let haste = Haste::default();
        // Most that this path sends is.
        haste.set(true);
        let stream = Stream::connect(address, tls, timeout, haste.clone()).await?;
        Ok(Self { stream, haste, keep_alive: None, is_used: false })
    }
}

impl Keep for Wire {
    /// Nothing may arrive before the next request: not even the end.
    fn is_alive(&mut self, context: &mut Context<'_>) -> bool {
        Buffer::small().poll_fill(context, &mut self.stream).is_pending()
    }

    fn keep_alive(&self) -> Option<Millis> {
        self.keep_alive
    }
}
