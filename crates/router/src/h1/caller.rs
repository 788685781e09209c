//! Who waits for an answer to a request that is sent on, whatever its visitor speaks.

use std::task::Context;
use std::time::Duration;

use crate::course::Setback;
use crate::h1::answer::Wish;
use crate::h1::ask::Ask;
use crate::h1::buffer::Buffer;
use crate::h1::outline::Outline;
use crate::h1::send::SendError;
use crate::h1::wire::Wire;
use crate::page::Failure;

/// Who waits for an answer.
pub(crate) trait Caller {
    /// The head of an answer as the visitor shall see it.
    type Head: Outline + Default;

    /// What is asked of the answer.
    fn wish(&self, ask: &Ask) -> Wish;

    /// Memory for the beginning of the answer.
    fn buffer(&self) -> Buffer;

    /// What happens from now on may take so long.
    fn allow(&mut self, longest: Duration);

    /// Sends head and body of the request over `wire`, as far as they are there; says in `count` how much was taken.
    async fn send_on(&mut self, ask: &Ask, wire: &mut Wire, count: &mut usize) -> Result<(), SendError>;

    /// Tells the visitor of an interim answer.
    async fn tell(&mut self, head: Self::Head) -> Result<(), Break>;

    /// Whether a part of the request's body is gone, so that it cannot be sent again.
    fn is_body_gone(&self) -> bool {
        false
    }

    /// Why it is no use to wait any longer, if so. Asked whenever nothing comes over `wire`; what is still to be sent moves
    /// then.
    fn poll_break(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Option<Break>;
}

/// Why a try ended early.
pub(crate) enum Break {
    /// The client is gone.
    Client,
    /// What it sends is not as it should be.
    Bad(Failure),
    /// See there.
    Endpoint(Setback),
    /// The endpoint did not answer in time.
    Late,
}
