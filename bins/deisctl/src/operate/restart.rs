//! `deisctl restart`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::arguments::Targets;
use crate::fleet::State;
use crate::rollout::Rollout;
use crate::unit::{Instance, Target};

use super::member::missing;
use super::{Operation, code};

impl Operation {
    /// `deisctl restart`.
    pub(crate) async fn restart(&self, command: &Targets, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let chosen = match Target::parse(&command.targets)? {
            Target::Units(units) => units,
            Target::Platform { .. } => {
                let state = State::read(&self.fleet).await?;
                state.wishes.started().into_iter().map(|unit| (unit, Instance::All)).collect()
            }
        };
        let state = State::read(&self.fleet).await?;
        let mut rollout = Rollout::new(&self.fleet, &state, self.patience, out);
        for (unit, instance) in chosen {
            let wish = state.wish(unit).with_context(|| missing(unit))?;
            if !wish.started {
                bail!("deis-{unit} is not started; start it with `deisctl start {unit}`");
            }
            let restarted = rollout.restart(unit, |found| found.is(&instance)).await?;
            if let (0, Instance::Named(name)) = (restarted, &instance) {
                bail!("there is no deis-{unit}@{name} to restart; see `deisctl list`");
            }
        }
        Ok(code(!rollout.failed().is_empty()))
    }
}
