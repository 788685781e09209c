//! Following what containers print, wherever they come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;

use crate::fleet::Fleet;
use crate::sighting::Sighting;
use crate::unit::{Instance, Unit};

use super::cluster::{Chosen, chosen};
use super::plain;

/// How often containers that are new are looked for.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// News on its way to be printed.
const BACKLOG: usize = 1024;

/// What comes from those who follow one container each.
enum News {
    Line(String),
    /// The container of this id is not followed any more; it is told up to this time.
    Ended(String, i64),
}

/// Containers that are followed.
pub(super) struct Follow<'a> {
    fleet: &'a Fleet,
    wanted: &'a [(Unit, Instance)],
    /// Unix time in nanoseconds: what was printed before is not told.
    after: i64,
    /// Engine ids of those that are followed now.
    followed: BTreeSet<String>,
    /// Up to when those were told that were followed before.
    told: BTreeMap<String, i64>,
    /// Those of which it was said that they cannot be followed.
    silent: BTreeSet<String>,
    sender: mpsc::Sender<News>,
    news: mpsc::Receiver<News>,
}

impl<'a> Follow<'a> {
    pub(super) fn new(fleet: &'a Fleet, wanted: &'a [(Unit, Instance)], after: i64) -> Self {
        let (sender, news) = mpsc::channel(BACKLOG);
        let (followed, told, silent) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Self { fleet, wanted, after, followed, told, silent, sender, news }
    }

    /// Prints what comes, for ever.
    pub(super) async fn run(mut self, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut look = tokio::time::interval(LOOK_AFTER);
        loop {
            tokio::select! {
                Some(news) = self.news.recv() => self.take(news, out)?,
                _ = look.tick() => {
                    // A cluster that elects another leader is asked again before long.
                    for chosen in chosen(self.fleet, self.wanted).await.unwrap_or_default() {
                        self.consider(chosen, out)?;
                    }
                }
            }
        }
    }

    fn take(&mut self, news: News, out: &mut dyn Write) -> anyhow::Result<()> {
        match news {
            News::Line(line) => {
                writeln!(out, "{line}")?;
                out.flush()?;
            }
            News::Ended(id, told) => {
                self.followed.remove(&id);
                self.told.insert(id, told);
            }
        }
        Ok(())
    }

    /// Follows a container that is new, or whose host or manager broke off while it runs on.
    fn consider(&mut self, chosen: Chosen, out: &mut dyn Write) -> anyhow::Result<()> {
        let Chosen { found, silence } = chosen;
        let id = found.container.id.clone();
        if let Some(silence) = silence {
            if self.silent.insert(id) {
                writeln!(out, "{}: {silence}", found.short_name())?;
            }
            return Ok(());
        }
        self.silent.remove(&id);
        let before = self.told.get(&id).copied();
        if (before.is_none() || found.is_up()) && self.followed.insert(id) {
            let after = before.unwrap_or(self.after);
            tokio::spawn(relay(self.fleet.clone(), found, after, self.sender.clone()));
        }
        Ok(())
    }
}

/// Hands on the lines of one container until it ends or nothing more can be had.
async fn relay(fleet: Fleet, found: Sighting, after: i64, news: mpsc::Sender<News>) {
    let (name, mut told) = (found.short_name(), after);
    if let Ok(mut frames) = fleet.engine.output.follow(&found.container.id, after).await {
        while let Some(Ok(frame)) = frames.next().await {
            told = told.max(frame.timestamp);
            let line = format!("{name}: {}", plain(&String::from_utf8_lossy(&frame.bytes)));
            if news.send(News::Line(line)).await.is_err() {
                return;
            }
        }
    }
    let _ = news.send(News::Ended(found.container.id, told)).await;
}
