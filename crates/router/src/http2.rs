//! HTTP/2 with visitors: many requests at a time over one connection.
//!
//! A `session` reads and writes frames with the library, over a `gathered` stream that sends what all requests have to say
//! in one piece. Each request is an `exchange` of its own: common ones take the same short way as over HTTP/1.1 (`brief`),
//! all others the long one (`full`). `delivery` sends bodies as fast as the client takes them, which `coder` compresses
//! for common requests.

mod alarm;
mod brief;
mod coder;
mod delivery;
mod exchange;
mod full;
mod gathered;
mod outline;
mod relay;
mod session;
mod streamed;
mod tube;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::proxy::Client;
use crate::shared::Shared;

pub(crate) use streamed::Streamed;
pub(crate) use tube::Tube;

use exchange::Exchange;
use session::{Look, Session};

/// After which part of the time that a client has for a head its connection is looked at.
const FRACTION: u32 = 4;

/// Serves `client` until it leaves, is overdue, or the router ends.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Arc<Shared>,
    client: &Client,
    stream: S,
) {
    let pulse = poll_fn(|context| Poll::Ready(shared.pulses.begin(context))).await;
    let pause = || shared.table.load().mesh.clients.head / FRACTION;
    // Since ever: it is to be told as soon as connections are to be closed.
    pulse.rest(1, Duration::ZERO);
    pulse.until(shared.clock.now(), pause());
    let answer = |request, respond| Exchange { shared, client, respond }.answer(request);
    let mut session = Session::new(stream, &shared.config.limits, answer);
    let mut look = Look::default();
    let ended = poll_fn(|context| {
        if pulse.is_overdue(shared) {
            if !look.at(shared, &client.watch, &mut session, context) {
                return Poll::Ready(Ok(()));
            }
            pulse.until(shared.clock.now(), pause());
        }
        session.poll(context)
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a client's connection broke");
    }
}
