//! A request of this path as metrics see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::metrics::{Exchange, Tally};

/// A request that is being answered; counted when dropped, which is when its answer has ended or broken off.
pub(super) struct Record {
    /// Bytes of the answer's body so far.
    pub(super) sent: u64,
    tally: Arc<Tally>,
    started: Instant,
    status: StatusCode,
    first_byte: Duration,
    received: u64,
}

impl Record {
    /// Of a request that began at `started`, brought `received` bytes and is answered with `status` from now on.
    pub(super) fn begin(tally: &Arc<Tally>, started: Instant, status: StatusCode, received: u64) -> Self {
        let (tally, first_byte) = (Arc::clone(tally), started.elapsed());
        Self { sent: 0, tally, started, status, first_byte, received }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.tally.record(&Exchange {
            status: self.status,
            first_byte: self.first_byte,
            whole: self.started.elapsed(),
            received: self.received,
            sent: self.sent,
        });
    }
}
