//! `deisctl init`, `join`, `leave`, `ticket`, `hosts`, `drain`, `undrain`, `remove`, `label`: who belongs to the cluster.

mod address;
mod listing;
#[cfg(test)]
pub(crate) mod tests;
mod ticket;

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};

use deis_scheduler::{ClusterHost, HostState, SchedulerError};

use crate::arguments::{ClusterCommand, Init, Join, Label};
use crate::control::Control;
use crate::fleet::{Fleet, Identities, Secrets, Settings, State, Wishes};
use crate::image;
use crate::operate::Operation;
use crate::plane::{self, Plane};
use crate::platform::Platform;
use crate::sighting;
use crate::unit::{Unit, workload};

use ticket::Admission;

pub(crate) use listing::advice;

pub(crate) async fn run(
    platform: &Platform,
    command: ClusterCommand,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    match command {
        ClusterCommand::Init(command) => init(platform, &command, out).await?,
        ClusterCommand::Join(command) => return join(platform, &command, out).await,
        ClusterCommand::Leave => leave(platform, out).await?,
        ClusterCommand::Ticket { worker } => ticket(platform, worker, out).await?,
        ClusterCommand::Hosts => listing::hosts(platform, out).await?,
        ClusterCommand::Drain(host) => drain(platform, &host.name, true, out).await?,
        ClusterCommand::Undrain(host) => drain(platform, &host.name, false, out).await?,
        ClusterCommand::Remove(host) => return remove(platform, &host.name, out).await,
        ClusterCommand::Label(command) => return label(platform, &command, out).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// `deisctl init`. Harmless twice: what is there stays as it is.
async fn init(platform: &Platform, command: &Init, out: &mut dyn Write) -> anyhow::Result<()> {
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
    let ticket = Admission::new(fleet.cluster.ticket(true).await?, false, workload::platform_image(&state));
    writeln!(out, "\nRun this on every other host:\n\n  deisctl join {}\n", ticket.word())?;
    writeln!(out, "Then, on one of them:\n")?;
    for command in next_steps(&state) {
        writeln!(out, "  {command}")?;
    }
    Ok(())
}

/// Makes the cluster, if there is none, and what it remembers, as far as that is missing.
async fn begin(fleet: &Fleet, command: &Init, image: &str) -> anyhow::Result<()> {
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
        steps.push("deisctl config store set url=s3://<key>:<secret>@<bucket>?endpoint=<url>");
    }
    steps.extend(["deisctl install platform", "deisctl start platform"]);
    steps
}

const JOIN_FAILED: &str =
    "failed to join the cluster; a host that was removed from one leaves it first, with `deisctl leave`";

/// `deisctl join`.
async fn join(platform: &Platform, command: &Join, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
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
    make_folders(&State::read(&fleet).await?)?;
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

/// What tells images of different programs apart.
fn tag(image: &str) -> Option<&str> {
    image.rsplit_once(':').map(|(_, tag)| tag)
}

/// `deisctl leave`.
async fn leave(platform: &Platform, out: &mut dyn Write) -> anyhow::Result<()> {
    let fleet = Fleet::open(platform).await?;
    let name = fleet.cluster.this_host().await?;
    fleet.cluster.leave().await?;
    writeln!(out, "{name} belongs to no cluster. On another host: `deisctl remove {name}`")?;
    Ok(())
}

/// `deisctl ticket`.
async fn ticket(platform: &Platform, worker: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let operation = Operation::open(platform).await?;
    let state = State::read(&operation.fleet).await?;
    let ticket = operation.fleet.cluster.ticket(!worker).await?;
    writeln!(out, "{}", Admission::new(ticket, worker, workload::platform_image(&state)).word())?;
    Ok(())
}

/// `deisctl drain` and `undrain`.
async fn drain(platform: &Platform, name: &str, drained: bool, out: &mut dyn Write) -> anyhow::Result<()> {
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
/// waits for nothing from it. Harmless twice, and after half of it.
async fn remove(platform: &Platform, name: &str, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let operation = Operation::open(platform).await?;
    remove_from(&operation, name, out).await
}

async fn remove_from(operation: &Operation, name: &str, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let fleet = &operation.fleet;
    if fleet.cluster.this_host().await? == name {
        bail!("{name} is this host; ask another to remove it");
    }
    let hosts = fleet.cluster.hosts().await?;
    // Written first: whatever ends this command, the next one tells the controller.
    let note = |wishes: &mut Wishes| {
        wishes.forgotten.insert(name.to_owned());
        Ok(())
    };
    fleet.documents.change(note).await?;
    match hosts.iter().find(|host| host.name == name) {
        Some(host) => take_out(operation, host).await?,
        None => writeln!(out, "{name}: the cluster has no such host")?,
    }
    writeln!(out, "{name}: removed")?;
    let code = operation.settle(&Unit::ALL, out).await?;
    Control::settle(fleet, out).await?;
    Ok(code)
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

/// `deisctl label`.
async fn label(platform: &Platform, command: &Label, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let operation = Operation::open(platform).await?;
    label_in(&operation, command, out).await
}

async fn label_in(operation: &Operation, command: &Label, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let changes = command.changes.iter().map(|text| change(text)).collect::<anyhow::Result<Vec<_>>>()?;
    host(&operation.fleet, &command.host).await?;
    for (key, value) in &changes {
        operation.fleet.cluster.label(&command.host, key, *value).await?;
        writeln!(
            out,
            "{}: {key}{}",
            command.host,
            value.map_or("-".to_owned(), |value| format!("={value}"))
        )?;
    }
    let of_planes = |key: &str| Plane::ALL.iter().any(|plane| plane.label() == key);
    match changes.iter().any(|(key, _)| of_planes(key)) {
        true => operation.settle(&Unit::ALL, out).await,
        false => Ok(ExitCode::SUCCESS),
    }
}

/// `KEY=VALUE`, or `KEY-` to take it away.
fn change(text: &str) -> anyhow::Result<(&str, Option<&str>)> {
    let (key, value) = match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) => (key, Some(value)),
        (None, Some(key)) => (key, None),
        (None, None) => bail!("'{text}' is neither KEY=VALUE nor KEY-"),
    };
    let is_fine = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c));
    if key.is_empty() || !is_fine(key) || !value.is_none_or(|value| !value.is_empty() && is_fine(value)) {
        bail!("'{text}' is no label: keys and values are letters, digits and -._/");
    }
    Ok((key, value))
}

async fn host(fleet: &Fleet, name: &str) -> anyhow::Result<ClusterHost> {
    let hosts = fleet.cluster.hosts().await?;
    hosts
        .into_iter()
        .find(|host| host.name == name)
        .with_context(|| format!("the cluster has no host {name}; see `deisctl hosts`"))
}

/// Makes the host belong to `planes` and to no other. Unchanged labels are not touched: each change may move containers.
async fn give_planes(fleet: &Fleet, name: &str, planes: &[Plane]) -> anyhow::Result<()> {
    let labels = host(fleet, name).await?.labels;
    for plane in Plane::ALL {
        let wanted = planes.contains(&plane).then_some("true");
        if labels.get(plane.label()).map(String::as_str) != wanted {
            fleet.cluster.label(name, plane.label(), wanted).await?;
        }
    }
    Ok(())
}

fn planes_or(given: &[Plane], usual: &[Plane]) -> Vec<Plane> {
    let chosen = if given.is_empty() { usual } else { given };
    Plane::ALL.into_iter().filter(|plane| chosen.contains(plane)).collect()
}

fn address(given: Option<IpAddr>) -> anyhow::Result<IpAddr> {
    given.map_or_else(address::own, Ok)
}

/// Makes the folders that roles keep their data in: not every engine makes them itself.
fn make_folders(state: &State) -> anyhow::Result<()> {
    Unit::ALL.into_iter().try_for_each(|unit| make_folder(Path::new(&workload::folder(state, unit))))
}

/// The same where settings cannot be read.
fn make_default_folders() -> anyhow::Result<()> {
    let root = Path::new(workload::HOST_DATA);
    Unit::ALL.into_iter().try_for_each(|unit| make_folder(&root.join(unit.as_str())))
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("failed to make {}; run this as root", path.display()))
}
