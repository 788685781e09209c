//! `deisctl init`, `join`, `leave`, `ticket`, `hosts`, `drain`, `undrain`, `remove`, `label`: who belongs to the cluster.

mod address;
mod folder;
mod init;
mod join;
mod label;
mod listing;
mod remove;
#[cfg(test)]
pub(crate) mod tests;
mod ticket;

use std::io::Write;
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Context;

use deis_scheduler::ClusterHost;

use crate::arguments::ClusterCommand;
use crate::fleet::{Fleet, State};
use crate::operate::Operation;
use crate::plane::Plane;
use crate::platform::Platform;

use ticket::Admission;

pub(crate) use listing::advice;

pub(crate) async fn run(
    platform: &Platform,
    command: ClusterCommand,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    match command {
        ClusterCommand::Init(command) => init::init(platform, &command, out).await?,
        ClusterCommand::Join(command) => return join::join(platform, &command, out).await,
        ClusterCommand::Leave => join::leave(platform, out).await?,
        ClusterCommand::Ticket { worker } => ticket(platform, worker, out).await?,
        ClusterCommand::Hosts => listing::hosts(platform, out).await?,
        ClusterCommand::Drain(host) => remove::drain(platform, &host.name, true, out).await?,
        ClusterCommand::Undrain(host) => remove::drain(platform, &host.name, false, out).await?,
        ClusterCommand::Remove(host) => return remove::remove(platform, &host.name, out).await,
        ClusterCommand::Label(command) => return label::label(platform, &command, out).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// `deisctl ticket`.
async fn ticket(platform: &Platform, worker: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let operation = Operation::open(platform).await?;
    let state = State::read(&operation.fleet).await?;
    let ticket = operation.fleet.cluster.ticket(!worker).await?;
    writeln!(out, "{}", Admission::new(ticket, worker, &state).word())?;
    Ok(())
}

async fn host(fleet: &Fleet, name: &str) -> anyhow::Result<ClusterHost> {
    let hosts = fleet.cluster.hosts().await?;
    hosts
        .into_iter()
        .find(|host| host.name == name)
        .with_context(|| format!("the cluster has no host {name}; see `deisctl hosts`"))
}

fn planes_or(given: &[Plane], usual: &[Plane]) -> Vec<Plane> {
    let chosen = if given.is_empty() { usual } else { given };
    Plane::ALL.into_iter().filter(|plane| chosen.contains(plane)).collect()
}

fn address(given: Option<IpAddr>) -> anyhow::Result<IpAddr> {
    given.map_or_else(address::own, Ok)
}
