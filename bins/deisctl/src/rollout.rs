//! Moves units to what is wanted and tells how that goes: applies workloads, waits until their containers are up or gone.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use deis_model::{ContainerState, Spread, Workload};
use deis_scheduler::SchedulerError;

use crate::fleet::{Fleet, State};
use crate::sighting::{self, Sighting};
use crate::unit::{Unit, workload};

/// How long a role may take to end when it is stopped.
const STOP_GRACE: Duration = Duration::from_secs(45);

/// So many starts of a container that ended by itself each time mean that it never stays up.
const HOPELESS_RESTARTS: u32 = 5;

/// Lines of a container's output that explain why it ended.
const REASON_LINES: usize = 5;

/// How long units are waited for.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// Between two looks.
    pub(crate) poll: Duration,
    /// Containers count as up when they were all this while.
    pub(crate) settle: Duration,
    /// After this a unit has failed.
    pub(crate) limit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            settle: Duration::from_secs(2),
            limit: Duration::from_secs(180),
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

    /// Starts containers of `unit` anew, one after the other; only those that `chosen` picks.
    pub(crate) async fn restart(
        &mut self,
        unit: Unit,
        chosen: impl Fn(&Sighting) -> bool,
    ) -> anyhow::Result<()> {
        let workload = workload::workload(self.state, unit)?;
        for old in sighting::of(self.fleet, self.state, unit).await?.iter().filter(|found| chosen(found)) {
            self.fleet.engine.scheduler.remove_container(&old.container.name, STOP_GRACE).await?;
            self.fleet.engine.scheduler.apply(&workload).await?;
            self.await_another(unit, &workload, &old.container.id, &old.name()).await?;
        }
        Ok(())
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
        match self.watch(unit, workload, "").await {
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
                "no host of the {} takes work; give it one with `deisctl label HOST {}=true`",
                unit.plane(),
                unit.plane().label()
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

    async fn look(&self, unit: Unit, workload: &Workload, gone: &str) -> Result<Look, SchedulerError> {
        let fingerprint = workload.fingerprint();
        let mut look = Look::default();
        for found in self.found(unit).await? {
            let container = &found.container;
            let is_up = container.state == ContainerState::Up;
            if container.fingerprint != fingerprint || container.id == gone {
                look.has_others |= is_up;
            } else if is_up {
                look.up.insert(container.id.clone());
                look.names.push(found.name());
            } else {
                look.is_hopeless |= container.restarts >= HOPELESS_RESTARTS;
            }
        }
        Ok(look)
    }

    /// Why the unit is not up: what its containers said at last.
    async fn explained(&self, unit: Unit, workload: &Workload, expected: usize, trouble: &str) -> String {
        if !trouble.is_empty() {
            return trouble.to_owned();
        }
        let found = self.found(unit).await.unwrap_or_default();
        let up = found.iter().filter(|found| found.is_up()).count();
        let mut reason = format!("{up} of {expected} are up; see `deisctl journal {unit}`");
        let fingerprint = workload.fingerprint();
        let fallen =
            found.iter().filter(|found| found.container.fingerprint == fingerprint && !found.is_up());
        for fallen in fallen.take(1) {
            let lines = self.fleet.engine.output.tail(&fallen.container.id, REASON_LINES).await;
            for line in lines.unwrap_or_default() {
                reason += &format!("\n  {}: {}", fallen.name(), crate::journal::plain(&line));
            }
        }
        reason
    }

    /// How many containers there should be.
    fn expected(&self, unit: Unit, workload: &Workload) -> usize {
        match workload.spread {
            Spread::Replicas => workload.replicas as usize,
            Spread::Hosts => self.state.ready(unit.plane()).count(),
        }
    }

    /// Removes the unit's workload; the names of what it had.
    async fn remove(&self, unit: Unit) -> anyhow::Result<Vec<String>> {
        let names = sighting::of(self.fleet, self.state, unit).await?.iter().map(Sighting::name).collect();
        self.fleet.engine.scheduler.remove(&workload::id(unit), STOP_GRACE).await?;
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

    fn fail(&mut self, unit: Unit, doing: &str, reason: &str) -> io::Result<()> {
        self.failed.insert(unit);
        self.say(&format!("The service '{unit}' failed while {doing}.\n  {reason}"))
    }
}

/// What one look at a unit's containers showed.
#[derive(Default)]
struct Look {
    /// Engine ids of those that are up and as described.
    up: BTreeSet<String>,
    /// Their names.
    names: Vec<String>,
    /// Whether others still are up that are to go.
    has_others: bool,
    /// Whether one of them ended by itself too often.
    is_hopeless: bool,
    /// Why nothing could be seen.
    trouble: String,
}
