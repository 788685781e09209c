//! `deisctl init`: the first host of a cluster, and what the cluster remembers from then on.

use std::io::Write;

use anyhow::Context;

use deis_scheduler::SchedulerError;

use crate::arguments::Init;
use crate::fleet::{Fleet, Identities, Secrets, Settings, State, Wishes};
use crate::image;
use crate::plane::{self, Plane};
use crate::platform::Platform;

use super::folder::make_folders;
use super::label::give_planes;
use super::ticket::Admission;
use super::{address, host, planes_or};

/// `deisctl init`. Harmless twice: what is there stays as it is.
pub(super) async fn init(platform: &Platform, command: &Init, out: &mut dyn Write) -> anyhow::Result<()> {
    let fleet = Fleet::open(platform).await?;
    let image = image::ensure(&fleet.engine, out).await?;
    begin(&fleet, command, &image).await?;
    let state = State::read(&fleet).await?;
    make_folders(&state)?;
    let name = fleet.cluster.this_host().await?;
    let planes = planes_or(&command.planes.planes, &Plane::ALL);
    give_planes(&fleet, &name, &planes).await?;
    let address = host(&fleet, &name).await?.address;
    writeln!(out, "{name} ({address}) is a host of the cluster: {}", plane::listed(&planes))?;
    let ticket = Admission::new(fleet.cluster.ticket(true).await?, false, &state);
    writeln!(out, "\nRun this on every other host:\n\n  deisctl join {}\n", ticket.word())?;
    writeln!(out, "This on every host of the control plane:\n\n  deisctl stack build\n")?;
    writeln!(out, "Then, on one of them:\n")?;
    for command in next_steps(&state) {
        writeln!(out, "  {command}")?;
    }
    Ok(())
}

/// Makes the cluster, if there is none, and what it remembers, as far as that is missing.
pub(super) async fn begin(fleet: &Fleet, command: &Init, image: &str) -> anyhow::Result<()> {
    if let Err(SchedulerError::NoManager) = fleet.cluster.hosts().await {
        fleet.cluster.init(address(command.address)?).await.context("failed to make a cluster")?;
    }
    fleet.documents.ensure(|| Ok(Secrets::generate())).await?;
    fleet.documents.ensure(Identities::create).await?;
    fleet.documents.ensure(|| Ok(Wishes { image: image.to_owned(), ..Wishes::default() })).await?;
    // Last: whoever finds the settings finds all the rest.
    fleet
        .documents
        .change(|settings: &mut Settings| {
            if let Some(domain) = &command.domain {
                settings.set("platform", "domain", Some(&domain.to_ascii_lowercase()));
            }
            Ok(())
        })
        .await
}

/// What is left to do until the platform runs.
fn next_steps(state: &State) -> Vec<&'static str> {
    let mut steps = Vec::new();
    if state.settings.value("platform", "domain").is_none() {
        steps.push("deisctl config platform set domain=<your-domain>");
    }
    if state.settings.value("store", "url").is_none() {
        steps.push("deisctl config store set url='s3://<key>:<secret>@<bucket>?endpoint=<url>'");
    }
    steps.extend(["deisctl install platform", "deisctl start platform"]);
    steps
}
