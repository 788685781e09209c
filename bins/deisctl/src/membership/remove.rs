//! `deisctl drain`, `undrain`, `remove`: hosts that are to have nothing, for a while or for good.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;

use deis_scheduler::{ClusterHost, HostState};

use crate::control::Control;
use crate::fleet::{State, Wishes};
use crate::operate::Operation;
use crate::platform::Platform;
use crate::sighting;
use crate::unit::Unit;

use super::host;

/// `deisctl drain` and `undrain`.
pub(super) async fn drain(
    platform: &Platform,
    name: &str,
    drained: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let fleet = Operation::open(platform).await?.fleet;
    host(&fleet, name).await?;
    fleet.cluster.drain(name, drained).await?;
    match drained {
        true => writeln!(
            out,
            "{name}: drained; what it has is moved elsewhere. `deisctl undrain {name}` ends that"
        )?,
        false => writeln!(out, "{name}: ready")?,
    }
    Ok(())
}

/// `deisctl remove`: the engine forgets the host, the roles that were told of it are told anew, and the controller
/// waits for nothing from it. Harmless twice, and after half of it; fails where there is nothing to remove.
pub(super) async fn remove(platform: &Platform, name: &str, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let operation = Operation::open(platform).await?;
    remove_from(&operation, name, out).await
}

pub(super) async fn remove_from(
    operation: &Operation,
    name: &str,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let fleet = &operation.fleet;
    if fleet.cluster.this_host().await? == name {
        bail!("{name} is this host; ask another to remove it");
    }
    let hosts = fleet.cluster.hosts().await?;
    // Written first: whatever ends this command, the next one tells the controller.
    let note = |wishes: &mut Wishes| Ok(wishes.forgotten.insert(name.to_owned()));
    let is_new = fleet.documents.change(note).await?;
    let host = hosts.iter().find(|host| host.name == name);
    match host {
        Some(host) => {
            take_out(operation, host).await?;
            writeln!(out, "{name}: removed")?;
        }
        None => {
            let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
            writeln!(
                out,
                "{name}: the cluster has no such host; what was left of one is forgotten. There are {}",
                names.join(", ")
            )?;
        }
    }
    let code = operation.settle(&Unit::ALL, out).await?;
    Control::settle(fleet, out).await?;
    // A command that was interrupted after the engine forgot the host is finished by this one.
    let was_there = host.is_some() || !is_new;
    Ok(if was_there { code } else { ExitCode::FAILURE })
}

/// Moves what the host has elsewhere, if it is there to do so, and has the engine forget it.
async fn take_out(operation: &Operation, host: &ClusterHost) -> anyhow::Result<()> {
    let cluster = &operation.fleet.cluster;
    if host.state != HostState::Down {
        cluster.drain(&host.name, true).await?;
        let begun = Instant::now();
        // In vain for a host that is about to be lost: it is removed all the same.
        while begun.elapsed() < operation.patience.limit && has_units(operation, &host.name).await? {
            tokio::time::sleep(operation.patience.poll).await;
        }
    }
    if host.manager {
        cluster.promote(&host.name, false).await?;
    }
    Ok(cluster.remove(&host.name).await?)
}

async fn has_units(operation: &Operation, host: &str) -> anyhow::Result<bool> {
    let state = State::read(&operation.fleet).await?;
    let found = sighting::all(&operation.fleet, &state).await?;
    Ok(found.iter().any(|found| found.is_up() && found.host.as_deref() == Some(host)))
}
