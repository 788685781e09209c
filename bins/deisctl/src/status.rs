//! `deisctl status`: whether every role is well, on this machine or on all hosts of its cluster.

mod cluster;
mod host;
mod report;
mod table;

use std::io::Write;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use deis_runtime::Role;

use crate::arguments::StatusCommand;
use crate::fleet::Fleet;
use crate::platform::Platform;

use report::{Report, RoleReport};

/// Prints the report; the exit code is 1 if anything is wrong.
pub(crate) async fn run(
    platform: &Platform,
    command: StatusCommand,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    if let Some(fleet) = Fleet::if_any(platform).await? {
        return cluster::run(&fleet, &command, out).await;
    }
    let roles = command.units.iter().map(|unit| unit.parse()).collect::<Result<Vec<Role>, _>>()?;
    let report = report(platform, &roles).await?;
    if command.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{}", table::render(&report, now()))?;
    }
    Ok(if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Unix seconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

async fn report(platform: &Platform, wanted: &[Role]) -> anyhow::Result<Report> {
    let data = platform.data()?;
    let mut roles = Vec::new();
    for role in Role::ALL.into_iter().filter(|role| wanted.is_empty() || wanted.contains(role)) {
        roles.push(match platform.status(role).await {
            Ok(status) => RoleReport::up(role, status),
            Err(error) => RoleReport::down(role, &error),
        });
    }
    // Who asks about one role waits for that role, whatever else is wrong with the machine.
    let host = match wanted {
        [] => vec![host::engine(platform).await, host::stack(platform).await, host::disk(data.root())],
        _ => Vec::new(),
    };
    Ok(Report::new(roles, host))
}
