//! `deisctl join`, `leave`: this host becomes part of a cluster, and is none any more.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::arguments::Join;
use crate::fleet::{Fleet, State, Wishes};
use crate::image;
use crate::operate::Operation;
use crate::plane::{self, Plane};
use crate::platform::Platform;
use crate::unit::Unit;

use super::folder::{make_default_folders, make_folders};
use super::label::give_planes;
use super::ticket::Admission;
use super::{address, planes_or};

const JOIN_FAILED: &str =
    "failed to join the cluster; a host that was removed from one leaves it first, with `deisctl leave`";

/// `deisctl join`.
pub(super) async fn join(
    platform: &Platform,
    command: &Join,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let admission = Admission::parse(&command.ticket)?;
    let fleet = Fleet::open(platform).await?;
    let image = image::ensure(&fleet.engine, out).await?;
    if tag(&image) != tag(&admission.image) {
        bail!(
            "the programs on this host make the image {image}, and the cluster runs {}; put the same deisd, deisctl \
             and deis on every host, then try again",
            admission.image
        );
    }
    // Roles may be told to run from it by the name that it has in the registry.
    fleet.engine.images.tag(&image, &admission.image).await?;
    fleet.cluster.join(&admission.ticket, address(command.address)?).await.context(JOIN_FAILED)?;
    let name = fleet.cluster.this_host().await?;
    let usual: &[Plane] = if command.worker || admission.worker { &[Plane::Data] } else { &Plane::ALL };
    let planes = planes_or(&command.planes.planes, usual);
    if admission.worker {
        make_default_folders()?;
        writeln!(out, "{name} is a host of the cluster. On one that manages it, say what it is for:\n")?;
        let labels: Vec<_> = planes.iter().map(|plane| format!("{}=true", plane.label())).collect();
        writeln!(out, "  deisctl label {name} {}", labels.join(" "))?;
        return Ok(ExitCode::SUCCESS);
    }
    let operation = Operation::open(platform).await?;
    let state = State::read(&fleet).await?;
    make_folders(&state)?;
    if planes.contains(&Plane::Control) && state.wish(Unit::Database).is_some() {
        prepare_database(&fleet, &state, out).await?;
    }
    let know = |wishes: &mut Wishes| {
        wishes.forgotten.remove(&name);
        Ok(())
    };
    fleet.documents.change(know).await?;
    // Last: what is placed here by its labels finds the image and its folders.
    give_planes(&fleet, &name, &planes).await?;
    writeln!(out, "{name} is a host of the cluster: {}", plane::listed(&planes))?;
    let code = operation.settle(&Unit::ALL, out).await?;
    if command.worker {
        fleet.cluster.promote(&name, false).await?;
    }
    Ok(code)
}

/// Makes the image of the database that this host is to have, if it can be made: else status tells what is missing.
async fn prepare_database(fleet: &Fleet, state: &State, out: &mut dyn Write) -> anyhow::Result<()> {
    if let Err(error) = image::database::make(&fleet.engine, Some(state), false, out).await {
        writeln!(out, "The database cannot start here yet: {error:#}")?;
    }
    Ok(())
}

/// What tells images of different programs apart.
fn tag(image: &str) -> Option<&str> {
    image.rsplit_once(':').map(|(_, tag)| tag)
}

/// `deisctl leave`.
pub(super) async fn leave(platform: &Platform, out: &mut dyn Write) -> anyhow::Result<()> {
    let fleet = Fleet::open(platform).await?;
    let name = fleet.cluster.this_host().await?;
    fleet.cluster.leave().await?;
    writeln!(out, "{name} belongs to no cluster. On another host: `deisctl remove {name}`")?;
    Ok(())
}
