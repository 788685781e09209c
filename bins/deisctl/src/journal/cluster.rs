//! What roles printed on any host of the cluster: the engine keeps it with their containers.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use futures::{StreamExt, stream};

use crate::arguments::JournalCommand;
use crate::fleet::{Fleet, State};
use crate::sighting::{self, Sighting};
use crate::unit::{Instance, Unit, named};

use super::follow::Follow;
use super::plain;
use super::tail::{Tail, in_order};

/// How long a host may take to tell what one container printed.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How many containers are asked at once.
const ASKED_AT_ONCE: usize = 32;

pub(super) async fn run(fleet: &Fleet, command: &JournalCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    let wanted = named(&command.units)?;
    // What is printed from now on is followed; what was before is in the tails.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    let found = chosen(fleet, &wanted).await?;
    if found.is_empty() && !command.follow {
        bail!("nothing of that is there; see `deisctl list`");
    }
    print_tails(fleet, found, command.lines, out).await?;
    match command.follow {
        true => Follow::new(fleet, &wanted, now).run(out).await,
        false => Ok(()),
    }
}

/// One container that is meant, and why nothing can be had from it.
pub(super) struct Chosen {
    pub(super) found: Sighting,
    pub(super) silence: Option<String>,
}

/// The containers that an operator means.
pub(super) async fn chosen(fleet: &Fleet, wanted: &[(Unit, Instance)]) -> anyhow::Result<Vec<Chosen>> {
    let state = State::read(fleet).await?;
    let means = |found: &Sighting| wanted.iter().any(|(unit, which)| found.unit == *unit && found.is(which));
    let found = sighting::all(fleet, &state).await?.into_iter().filter(means);
    let chosen = |found: Sighting| Chosen { silence: silence(&found, &state), found };
    Ok(found.map(chosen).collect())
}

fn silence(found: &Sighting, state: &State) -> Option<String> {
    let host = found.host.as_deref().filter(|_| found.is_lost(state))?;
    Some(format!("its host {host} is not heard of, so what it printed cannot be read now"))
}

/// The last lines of all of them, by time, then who could not be asked.
async fn print_tails(
    fleet: &Fleet,
    chosen: Vec<Chosen>,
    lines: usize,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let asked = stream::iter(chosen).map(|chosen| tail(fleet, chosen, lines));
    let (mut tails, mut silent) = (Vec::new(), Vec::new());
    for (name, told) in asked.buffered(ASKED_AT_ONCE).collect::<Vec<_>>().await {
        match told {
            Ok(lines) => tails.push(Tail { name, lines }),
            Err(reason) => silent.push(format!("{name}: {reason}")),
        }
    }
    for (name, line) in in_order(&tails) {
        writeln!(out, "{name}: {}", plain(line))?;
    }
    silent.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(out.flush()?)
}

/// What one container printed at last, or why that is not known.
async fn tail(fleet: &Fleet, chosen: Chosen, lines: usize) -> (String, Result<Vec<String>, String>) {
    let name = chosen.found.short_name();
    if let Some(silence) = chosen.silence {
        return (name, Err(silence));
    }
    let asked = fleet.engine.output.tail(&chosen.found.container.id, lines);
    let told = match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(told) => told.map_err(|error| error.to_string()),
        Err(_) => Err(format!("its host did not answer within {} s", ANSWER_WITHIN.as_secs())),
    };
    (name, told)
}
