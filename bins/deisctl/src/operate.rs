//! `deisctl install`, `uninstall`, `start`, `stop`, `restart`, `scale`: the operator's wishes, written first and then met.

mod banner;
mod end;
mod member;
mod missing;
mod restart;
mod scale;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::arguments::{Install, Scale, Targets, UnitsCommand};
use crate::control::Control;
use crate::fleet::{Fleet, State, Wishes};
use crate::listing;
use crate::platform::Platform;
use crate::rollout::{Patience, Rollout};
use crate::unit::{GROUPS, Target, Unit, workload};

use banner::banner;
use member::{members, missing, refuse_stateless};
use missing::not_offered;

pub(crate) async fn run(
    platform: &Platform,
    command: UnitsCommand,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let operation = || Operation::open(platform);
    match command {
        UnitsCommand::Install(command) => operation().await?.install(&command, out).await,
        UnitsCommand::Uninstall(command) => operation().await?.uninstall(&command, out).await,
        UnitsCommand::Start(command) => operation().await?.start(&command, out).await,
        UnitsCommand::Stop(command) => operation().await?.stop(&command, out).await,
        UnitsCommand::Restart(command) => operation().await?.restart(&command, out).await,
        UnitsCommand::Scale(command) => operation().await?.scale(&command, out).await,
        UnitsCommand::List => listing::run(&operation().await?, out).await,
        UnitsCommand::Ssh(command) => bail!("{}", not_offered("ssh", &command.words)),
        UnitsCommand::Dock(command) => bail!("{}", not_offered("dock", &command.words)),
    }
}

/// What such a command works with.
pub(crate) struct Operation {
    pub(crate) fleet: Fleet,
    pub(crate) patience: Patience,
}

impl Operation {
    /// On the cluster that this host manages.
    pub(crate) async fn open(platform: &Platform) -> anyhow::Result<Self> {
        if let Some(fleet) = Fleet::if_any(platform).await? {
            return Ok(Self::new(fleet));
        }
        // An engine that does not answer says nothing about clusters.
        Fleet::open(platform).await?;
        bail!(
            "this host manages no cluster with a platform; make one with `deisctl init`, or ask a host that does. A \
             platform on one machine runs with `deisd run`"
        )
    }

    pub(crate) fn new(fleet: Fleet) -> Self {
        Self { fleet, patience: Patience::default() }
    }

    /// `deisctl install`.
    pub(crate) async fn install(&self, command: &Install, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let target = Target::parse(&command.targets)?;
        let state = State::read(&self.fleet).await?;
        let units = members(&state, &target)?;
        if let Target::Platform { stateless } = target {
            workload::check(&state)?;
            refuse_stateless(&state, stateless)?;
            banner(out, "Installing Deis...")?;
        }
        self.change(|wishes| {
            for unit in &units {
                let wish = wishes.units.entry(*unit).or_default();
                if *unit == Unit::Router && command.router_mesh_size.is_some() {
                    wish.replicas = command.router_mesh_size;
                }
            }
            Ok(())
        })
        .await?;
        tell_groups(&target, &units, out, |unit| format!("deis-{unit}.service: loaded"))?;
        if matches!(target, Target::Platform { .. }) {
            writeln!(out, "Done.\n\nPlease run `deisctl start platform` to boot up Deis.")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// `deisctl start`.
    pub(crate) async fn start(&self, command: &Targets, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let target = Target::parse(&command.targets)?;
        let units = members(&State::read(&self.fleet).await?, &target)?;
        let units = self.wish_started(&target, units, true).await?;
        let state = State::read(&self.fleet).await?;
        workload::check(&state)?;
        let mut rollout = Rollout::new(&self.fleet, &state, self.patience, out);
        let is_platform = matches!(target, Target::Platform { .. });
        if is_platform {
            rollout.say(&banner::text("Starting Deis..."))?;
        }
        for group in &GROUPS {
            let wanted: Vec<_> = group.units.iter().copied().filter(|unit| units.contains(unit)).collect();
            if is_platform && !wanted.is_empty() {
                rollout.say(group.title)?;
            }
            rollout.start(&wanted).await?;
        }
        let failed = !rollout.failed().is_empty();
        Control::settle(&self.fleet, out).await?;
        if is_platform && !failed {
            writeln!(
                out,
                "Done.\n\nPlease set up an administrative account. See `deisctl admin create --help`"
            )?;
        }
        Ok(code(failed))
    }

    /// `deisctl scale`.
    pub(crate) async fn scale(&self, command: &Scale, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let state = State::read(&self.fleet).await?;
        let sizes = scale::parse(&command.components, &state)?;
        self.change(|wishes| {
            for (unit, number) in &sizes {
                wishes.units.get_mut(unit).with_context(|| missing(*unit))?.replicas = *number;
            }
            Ok(())
        })
        .await?;
        let units: Vec<_> = sizes.into_iter().map(|(unit, _)| unit).collect();
        self.settle(&units, out).await
    }

    /// Applies those of `units` that are to run and are another than what runs, one after the other.
    pub(crate) async fn settle(&self, units: &[Unit], out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let state = State::read(&self.fleet).await?;
        let started = state.wishes.started();
        let units: Vec<_> = started.into_iter().filter(|unit| units.contains(unit)).collect();
        let mut rollout = Rollout::new(&self.fleet, &state, self.patience, out);
        rollout.settle(&units).await?;
        Ok(code(!rollout.failed().is_empty()))
    }

    /// Writes that the units are to run, or not; answers which of them are installed.
    ///
    /// Of a group those that are not are left out; who names one alone is told.
    async fn wish_started(
        &self,
        target: &Target,
        units: Vec<Unit>,
        started: bool,
    ) -> anyhow::Result<Vec<Unit>> {
        let is_platform = matches!(target, Target::Platform { .. });
        self.change(|wishes| {
            if wishes.units.is_empty() {
                bail!("the platform is not installed; use:\ndeisctl install platform");
            }
            let mut present = Vec::new();
            for unit in &units {
                match wishes.units.get_mut(unit) {
                    Some(wish) => {
                        wish.started = started;
                        present.push(*unit);
                    }
                    None if is_platform => {}
                    None => bail!(missing(*unit)),
                }
            }
            Ok(present)
        })
        .await
    }

    async fn change<T>(&self, change: impl FnMut(&mut Wishes) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.fleet.documents.change(change).await
    }
}

/// A line for each of `units`, below the titles of their groups if all of the platform is meant.
fn tell_groups(
    target: &Target,
    units: &[Unit],
    out: &mut dyn Write,
    line: impl Fn(Unit) -> String,
) -> anyhow::Result<()> {
    for group in &GROUPS {
        let members: Vec<_> = group.units.iter().filter(|unit| units.contains(unit)).collect();
        if matches!(target, Target::Platform { .. }) && !members.is_empty() {
            writeln!(out, "{}", group.title)?;
        }
        members.into_iter().try_for_each(|unit| writeln!(out, "{}", line(*unit)))?;
    }
    Ok(())
}

fn code(failed: bool) -> ExitCode {
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
