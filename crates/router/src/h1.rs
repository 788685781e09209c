//! The common request's short way: HTTP/1.1 read and written here, without a library's request and answer in between.
//!
//! It does for plain requests to apps what `proxy` and `attempt` do for all, with less work: a `session` reads a client's
//! requests, `request` and `ask` say which of them are common, `onward` is how the app sees one, `exchange` and
//! `call` send it on over a `wire` on its course, `upload` what follows of its body, `answer` and `relay` bring back what the
//! app says. Anything out of the common is left, with all that has been read of it, to the other way, which serves the
//! connection from then on.

mod answer;
mod ask;
mod body;
mod buffer;
mod call;
mod caller;
mod chunks;
mod coder;
mod coding;
pub(crate) mod date;
mod exchange;
mod fields;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod kind;
mod line;
mod onward;
mod outline;
mod pulse;
mod record;
mod relay;
mod request;
mod send;
mod session;
mod upload;
mod version;
mod wire;

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;

use crate::forwarded::Peer;
use crate::page::Failure;
use crate::shared::Shared;
use crate::tls::Secured;

pub(crate) use answer::{Extent, Garbled, Wish};
pub(crate) use ask::Ask;
pub(crate) use body::{Body, Unfinished};
pub(crate) use buffer::Buffer;
pub(crate) use call::{Arrived, Call, Unanswered};
pub(crate) use caller::{Break, Caller};
pub(crate) use chunks::Part;
pub(crate) use fields::ends_here;
pub(crate) use line::Line;
pub(crate) use outline::Outline;
pub(crate) use pulse::Pulses;
pub(crate) use record::Record;
pub(crate) use request::{FIELDS, Request};
pub(crate) use send::{SendError, send};
pub(crate) use wire::Wire;

use exchange::Flow;
use session::{Leave, Session};

/// A connection that is for the other way: the stream, and what has been read from it.
pub(crate) struct Rest<S> {
    /// The client.
    pub(crate) stream: S,
    /// Who that is.
    pub(crate) peer: Peer,
    /// What it has sent and nobody has dealt with.
    pub(crate) read: Bytes,
    /// Whether it has been answered before: it speaks HTTP/1 and nothing else.
    pub(crate) has_served: bool,
}

/// Serves a client's common requests; what is left when one is not. `secured`: how it set up TLS; none without.
pub(crate) async fn serve<S: Line>(
    shared: &Shared,
    stream: S,
    peer: Peer,
    secured: Option<&Secured>,
) -> Option<Rest<S>> {
    let pulse = poll_fn(|context| Poll::Ready(shared.pulses.begin(context))).await;
    let idle = shared.table.load().mesh.clients.idle;
    let mut session = Session { shared, stream, peer, secured, pulse, idle, incoming: None, upload: None };
    let mut has_served = false;
    loop {
        let flow = match session.next().await {
            Ok(mut ask) => session.answer(&mut ask).await,
            Err(Leave::Odd) => Flow::Odd,
            Err(Leave::Foreign) => session.refuse_unread(&Failure::ForeignVersion).await,
            Err(Leave::Gone) => return None,
        };
        match flow {
            Flow::On => has_served = true,
            Flow::End => {
                session.end().await;
                return None;
            }
            Flow::Early => {
                session.end_early().await;
                return None;
            }
            Flow::Odd => {
                let read = session.incoming.as_ref().map_or(&[][..], Buffer::filled);
                let read = Bytes::copy_from_slice(read);
                return Some(Rest { stream: session.stream, peer: session.peer, read, has_served });
            }
        }
    }
}
