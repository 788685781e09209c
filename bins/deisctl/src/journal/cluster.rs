//! What roles printed on any host of the cluster: the engine keeps it with their containers.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::arguments::JournalCommand;
use crate::fleet::{Fleet, State};
use crate::sighting::{self, Sighting};
use crate::unit::{Instance, Unit, named};

use super::plain;

/// How often containers that are new are looked for while the journal is followed.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Lines on their way to be printed.
const BACKLOG: usize = 1024;

pub(super) async fn run(fleet: &Fleet, command: &JournalCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    let wanted = named(&command.units)?;
    // What is printed from now on is followed; what was before is in the tails.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    let found = chosen(fleet, &wanted).await?;
    if found.is_empty() && !command.follow {
        bail!("nothing of that is there; see `deisctl list`");
    }
    for found in &found {
        for line in fleet.engine.output.tail(&found.container.id, command.lines).await? {
            writeln!(out, "{}", shown(found, &line))?;
        }
    }
    out.flush()?;
    match command.follow {
        true => follow(fleet, &wanted, now, out).await,
        false => Ok(()),
    }
}

async fn chosen(fleet: &Fleet, wanted: &[(Unit, Instance)]) -> anyhow::Result<Vec<Sighting>> {
    let state = State::read(fleet).await?;
    let means = |found: &Sighting| wanted.iter().any(|(unit, which)| found.unit == *unit && found.is(which));
    Ok(sighting::all(fleet, &state).await?.into_iter().filter(means).collect())
}

/// Prints what comes, for ever, also from containers that are new.
async fn follow(
    fleet: &Fleet,
    wanted: &[(Unit, Instance)],
    after: i64,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (lines, mut arriving) = mpsc::channel(BACKLOG);
    let mut followed = BTreeSet::new();
    let mut look = tokio::time::interval(LOOK_AFTER);
    loop {
        tokio::select! {
            Some(line) = arriving.recv() => {
                writeln!(out, "{line}")?;
                out.flush()?;
            }
            _ = look.tick() => {
                // A cluster that elects another leader is asked again before long.
                for found in chosen(fleet, wanted).await.unwrap_or_default() {
                    if followed.insert(found.container.id.clone()) {
                        tokio::spawn(relay(fleet.clone(), found, after, lines.clone()));
                    }
                }
            }
        }
    }
}

/// Hands on the lines of one container until it ends.
async fn relay(fleet: Fleet, found: Sighting, after: i64, lines: mpsc::Sender<String>) {
    let Ok(mut frames) = fleet.engine.output.follow(&found.container.id, after).await else { return };
    while let Some(Ok(frame)) = frames.next().await {
        if lines.send(shown(&found, &String::from_utf8_lossy(&frame.bytes))).await.is_err() {
            return;
        }
    }
}

/// `deis-router@lab1: 2026-11-22 … started`
fn shown(found: &Sighting, line: &str) -> String {
    format!("{}: {}", found.name().trim_end_matches(".service"), plain(line))
}
