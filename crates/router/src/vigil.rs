//! Looking after a client that sends a body: it keeps a pace for as long as it is the one that is waited for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use crate::clock::millis;
use crate::pace::{Demand, Pace};
use crate::shared::Shared;

/// How often a client that is waited for is judged: a fraction of the shortest limit, within bounds.
const FRACTION: u32 = 4;
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// Looks after one client.
#[derive(Default)]
pub(crate) struct Vigil {
    pace: Pace,
    /// Ends when the pace is to be judged again; none before anything was waited for.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Vigil {
    /// Something came, so many bytes of it data.
    pub(crate) fn note(&mut self, shared: &Shared, bytes: u64) {
        self.pace.rest(shared.clock.now(), bytes);
    }

    /// Waits until the client, which is waited for, is too slow. As long as it `is_excused`, it never is.
    pub(crate) fn poll_overdue(
        &mut self,
        context: &mut Context<'_>,
        shared: &Shared,
        is_excused: bool,
    ) -> Poll<()> {
        loop {
            let (now, demand) = (shared.clock.now(), demand(shared));
            match is_excused {
                true => self.pace.forgive(),
                false => self.pace.wait(now),
            }
            if self.pace.is_too_slow(now, demand) {
                return Poll::Ready(());
            }
            let pause = Duration::from_millis(demand.silence.min(demand.grace)) / FRACTION;
            let alarm = || Box::pin(tokio::time::sleep(pause.clamp(SHORTEST, LONGEST)));
            ready!(self.alarm.get_or_insert_with(alarm).as_mut().poll(context));
            self.alarm = None;
        }
    }
}

/// What is asked of clients at this moment.
fn demand(shared: &Shared) -> Demand {
    let config = &shared.config;
    let patient = shared.table.load().mesh.clients.head;
    let is_crowded = shared.places.are_taken();
    let silence = if is_crowded { patient.min(config.timeouts.crowded_idle) } else { patient };
    Demand { silence: millis(silence), grace: millis(config.timeouts.body), rate: config.limits.body_pace }
}
