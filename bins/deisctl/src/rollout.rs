//! Moves units to what is wanted and tells how that goes: applies workloads, waits until their containers are up or gone.

mod look;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use deis_model::{Spread, Workload};
use deis_scheduler::SchedulerError;

use crate::fleet::{Fleet, State};
use crate::sighting::{self, Sighting};
use crate::unit::{Unit, workload};

use look::Look;

/// How long units are waited for.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// Between two looks.
    pub(crate) poll: Duration,
    /// Containers count as up when they were all this while.
    pub(crate) settle: Duration,
    /// After this a unit has failed.
    pub(crate) limit: Duration,
    /// How long controllers may take to answer when they are up; zero asks none.
    pub(crate) answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            settle: Duration::from_secs(2),
            limit: Duration::from_secs(180),
            answer: Duration::from_secs(60),
        }
    }
}

/// One command's work on units.
pub(crate) struct Rollout<'a> {
    fleet: &'a Fleet,
    state: &'a State,
    patience: Patience,
    out: &'a mut dyn Write,
    failed: BTreeSet<Unit>,
}

impl<'a> Rollout<'a> {
    pub(crate) fn new(
        fleet: &'a Fleet,
        state: &'a State,
        patience: Patience,
        out: &'a mut dyn Write,
    ) -> Self {
        Self { fleet, state, patience, out, failed: BTreeSet::new() }
    }

    /// The units that did not come to what was wanted.
    pub(crate) fn failed(&self) -> &BTreeSet<Unit> {
        &self.failed
    }

    /// Prints a line between those about units.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// Starts `units`, all at once, and waits for each.
    pub(crate) async fn start(&mut self, units: &[Unit]) -> io::Result<()> {
        let mut applied = Vec::new();
        for unit in units {
            match self.apply(*unit).await {
                Ok(workload) => applied.push((*unit, workload)),
                Err(error) => self.fail(*unit, "starting", &format!("{error:#}"))?,
            }
        }
        for (unit, workload) in applied {
            self.await_up(unit, &workload).await?;
        }
        Ok(())
    }

    /// Applies those of `units` whose workload is another than what runs, one after the other.
    pub(crate) async fn settle(&mut self, units: &[Unit]) -> io::Result<()> {
        for unit in units {
            match self.is_current(*unit).await {
                Ok(true) => {}
                Ok(false) => self.start(&[*unit]).await?,
                Err(error) => self.fail(*unit, "starting", &format!("{error:#}"))?,
            }
        }
        Ok(())
    }

    /// Starts containers of `unit` anew, one after the other; only those that `chosen` picks. Tells how many those are.
    pub(crate) async fn restart(
        &mut self,
        unit: Unit,
        chosen: impl Fn(&Sighting) -> bool,
    ) -> anyhow::Result<usize> {
        let workload = workload::workload(self.state, unit)?;
        let mut found = sighting::of(self.fleet, self.state, unit).await?;
        found.retain(chosen);
        let grace = self.grace(unit);
        for old in &found {
            self.fleet.engine.scheduler.remove_container(&old.container.name, grace).await?;
            self.fleet.engine.scheduler.apply(&workload).await?;
            self.await_another(unit, &workload, &old.container.id, &old.name()).await?;
        }
        Ok(found.len())
    }

    /// Stops `units` and waits until their containers are gone.
    pub(crate) async fn stop(&mut self, units: &[Unit], word: &str) -> io::Result<()> {
        for unit in units {
            let names = match self.remove(*unit).await {
                Ok(names) => names,
                Err(error) => {
                    self.fail(*unit, "stopping", &format!("{error:#}"))?;
                    continue;
                }
            };
            for name in names {
                self.say(&format!("{name}: {word}"))?;
            }
        }
        Ok(())
    }

    async fn apply(&self, unit: Unit) -> anyhow::Result<Workload> {
        let workload = workload::workload(self.state, unit)?;
        self.fleet.engine.scheduler.apply(&workload).await?;
        Ok(workload)
    }

    async fn is_current(&self, unit: Unit) -> anyhow::Result<bool> {
        let workload = workload::workload(self.state, unit)?;
        let (fingerprint, expected) = (workload.fingerprint(), self.expected(unit, &workload));
        let found = self.found(unit).await?;
        Ok(found.len() == expected && found.iter().all(|found| found.container.fingerprint == fingerprint))
    }

    /// The unit's containers, without those on lost hosts: nothing is known of them.
    async fn found(&self, unit: Unit) -> Result<Vec<Sighting>, SchedulerError> {
        let mut found = sighting::of(self.fleet, self.state, unit).await?;
        found.retain(|found| !found.is_lost(self.state));
        Ok(found)
    }

    async fn await_up(&mut self, unit: Unit, workload: &Workload) -> io::Result<()> {
        let up = match self.watch(unit, workload, "").await {
            Ok(names) => self.await_answers(unit).await.map(|()| names),
            Err(reason) => Err(reason),
        };
        match up {
            Ok(names) => names.iter().try_for_each(|name| self.say(&format!("{name}: active/running"))),
            Err(reason) => self.fail(unit, "starting", &reason),
        }
    }

    /// Waits until the unit is whole again without the container `gone`, which was called `name`.
    async fn await_another(
        &mut self,
        unit: Unit,
        workload: &Workload,
        gone: &str,
        name: &str,
    ) -> io::Result<()> {
        match self.watch(unit, workload, gone).await {
            Ok(_) => self.say(&format!("{name}: active/running")),
            Err(reason) => self.fail(unit, "starting", &reason),
        }
    }

    /// The names of the unit's containers once all of them are up and stayed so; else why they are not.
    async fn watch(&self, unit: Unit, workload: &Workload, gone: &str) -> Result<Vec<String>, String> {
        let expected = self.expected(unit, workload);
        if expected == 0 && workload.spread == Spread::Hosts {
            return Err(format!(
                "no host of the {} takes work; give it one with {}",
                unit.place(),
                unit.cure()
            ));
        }
        let begun = Instant::now();
        let mut up_since: Option<(BTreeSet<String>, Instant)> = None;
        loop {
            // An engine that elects another leader answers again before long.
            let look = self.look(unit, workload, gone).await;
            let look = look.unwrap_or_else(|error| Look { trouble: error.to_string(), ..Look::default() });
            let is_whole = look.up.len() == expected && !look.has_others;
            match (&up_since, is_whole) {
                (Some((ids, since)), true) if *ids == look.up => {
                    if since.elapsed() >= self.patience.settle {
                        return Ok(look.names);
                    }
                }
                (_, true) => {
                    if self.patience.settle.is_zero() {
                        return Ok(look.names);
                    }
                    up_since = Some((look.up, Instant::now()));
                }
                (_, false) => up_since = None,
            }
            if look.is_hopeless || begun.elapsed() >= self.patience.limit {
                return Err(self.explained(unit, workload, expected, &look.trouble).await);
            }
            tokio::time::sleep(self.patience.poll).await;
        }
    }

    /// How many containers there should be.
    fn expected(&self, unit: Unit, workload: &Workload) -> usize {
        match workload.spread {
            Spread::Replicas => workload.replicas as usize,
            Spread::Hosts => self.state.ready(unit).count(),
        }
    }

    /// Removes the unit's workload; the names of what it had.
    async fn remove(&self, unit: Unit) -> anyhow::Result<Vec<String>> {
        let names = sighting::of(self.fleet, self.state, unit).await?.iter().map(Sighting::name).collect();
        let grace = self.grace(unit);
        self.fleet.engine.scheduler.remove(&workload::id(unit), grace).await?;
        let begun = Instant::now();
        loop {
            let left = self.found(unit).await?;
            if left.is_empty() {
                return Ok(names);
            }
            if begun.elapsed() >= self.patience.limit {
                anyhow::bail!("{} of its containers are still there", left.len());
            }
            tokio::time::sleep(self.patience.poll).await;
        }
    }

    /// How long its containers may take to end. One whose settings cannot be read may be stopped all the same.
    fn grace(&self, unit: Unit) -> Duration {
        workload::ending(self.state, unit).unwrap_or_default().grace()
    }

    fn fail(&mut self, unit: Unit, doing: &str, reason: &str) -> io::Result<()> {
        self.failed.insert(unit);
        self.say(&format!("The service '{unit}' failed while {doing}.\n  {reason}"))
    }
}
