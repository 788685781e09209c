//! Tickets: one opaque word with all that a host needs to become part of a cluster.

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use deis_scheduler::Ticket;

use crate::fleet::State;
use crate::unit::workload::platform_image;

/// What every ticket begins with, and the version of what follows.
const PREFIX: &str = "deis1-";

/// More than any ticket has.
const LIMIT: usize = 4096;

/// What lets one more host in. A secret: no `Debug`.
pub(super) struct Admission {
    pub(super) ticket: Ticket,
    /// Whether the host takes no part in the cluster's own decisions.
    pub(super) worker: bool,
    /// The image that the cluster's roles run from.
    pub(super) image: String,
}

#[derive(Serialize, Deserialize)]
struct Written {
    manager: String,
    token: String,
    worker: bool,
    image: String,
}

impl Admission {
    pub(super) fn new(ticket: Ticket, worker: bool, state: &State) -> Self {
        Self { ticket, worker, image: platform_image(state).to_owned() }
    }

    /// The ticket as it is printed.
    pub(super) fn word(&self) -> String {
        let written = Written {
            manager: self.ticket.manager.clone(),
            token: self.ticket.token.clone(),
            worker: self.worker,
            image: self.image.clone(),
        };
        let text = serde_json::to_vec(&written).expect("texts and a flag always serialize");
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(text))
    }

    /// Reads what [`Admission::word`] gave.
    pub(super) fn parse(word: &str) -> anyhow::Result<Self> {
        const CURE: &str = "that is no ticket of this version; have one printed by `deisctl ticket` on a host of the cluster";
        let body = word.strip_prefix(PREFIX).filter(|body| body.len() <= LIMIT).context(CURE)?;
        let text = URL_SAFE_NO_PAD.decode(body).ok().context(CURE)?;
        let Ok(Written { manager, token, worker, image }) = serde_json::from_slice(&text) else {
            bail!(CURE)
        };
        Ok(Self { ticket: Ticket { manager, token }, worker, image })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_one_word_that_reads_back_as_written() {
        let ticket = Ticket { manager: "10.0.0.1:2377".into(), token: "SWMTKN-1-abc".into() };
        let word = Admission::new(ticket.clone(), true, &crate::fleet::test_state(&["lab1"])).word();
        assert!(word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{word}");
        let read = Admission::parse(&word).expect("a ticket");
        assert_eq!((read.ticket, read.worker, read.image.as_str()), (ticket, true, "deis/platform:1-abc"));
    }

    #[test]
    fn what_is_no_ticket_is_refused_with_the_cure() {
        for word in ["", "deis1-", "deis1-!", "deis2-e30", "deis1-e30", "SWMTKN-1-abc"] {
            let error = Admission::parse(word).err().expect("refused").to_string();
            assert!(error.contains("deisctl ticket"), "{word}: {error}");
        }
    }
}
