//! `deisctl stop` and `uninstall`: the other way round.

use std::io::Write;
use std::process::ExitCode;

use crate::arguments::Targets;
use crate::fleet::State;
use crate::rollout::Rollout;
use crate::unit::{GROUPS, Target};

use super::member::members;
use super::{Operation, banner, code};

impl Operation {
    /// `deisctl stop`.
    pub(crate) async fn stop(&self, command: &Targets, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let hint = "Please run `deisctl start platform` to restart Deis.";
        self.end(command, "Stopping Deis...", "inactive/dead", Some(hint), out).await
    }

    /// `deisctl uninstall`.
    pub(crate) async fn uninstall(&self, command: &Targets, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let code = self.end(command, "Uninstalling Deis...", "destroyed", None, out).await?;
        if code == ExitCode::SUCCESS {
            let target = Target::parse(&command.targets)?;
            let state = State::read(&self.fleet).await?;
            let units = members(&state, &target)?;
            self.change(|wishes| {
                wishes.units.retain(|unit, _| !units.contains(unit));
                Ok(())
            })
            .await?;
        }
        Ok(code)
    }

    async fn end(
        &self,
        command: &Targets,
        title: &str,
        word: &str,
        hint: Option<&str>,
        out: &mut dyn Write,
    ) -> anyhow::Result<ExitCode> {
        let target = Target::parse(&command.targets)?;
        let units = members(&State::read(&self.fleet).await?, &target)?;
        let units = self.wish_started(&target, units, false).await?;
        let state = State::read(&self.fleet).await?;
        let mut rollout = Rollout::new(&self.fleet, &state, self.patience, out);
        let is_platform = matches!(target, Target::Platform { .. });
        if is_platform {
            rollout.say(&banner::text(title))?;
        }
        for group in GROUPS.iter().rev() {
            let wanted: Vec<_> =
                group.units.iter().rev().copied().filter(|unit| units.contains(unit)).collect();
            if is_platform && !wanted.is_empty() {
                rollout.say(group.title)?;
            }
            rollout.stop(&wanted, word).await?;
        }
        let failed = !rollout.failed().is_empty();
        if is_platform && !failed {
            rollout.say("Done.")?;
            hint.map_or(Ok(()), |hint| rollout.say(&format!("\n{hint}")))?;
        }
        Ok(code(failed))
    }
}
