//! `deisctl image`: one small image with every role of the platform, made from the programs on this host.
//!
//! Its tag is the version and a digest of our programs: hosts with the same programs make the same tag, whatever state
//! their distribution's git and libraries are in.

mod archive;
mod content;
pub(crate) mod database;
mod loader;
mod program;

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use deis_scheduler::{Credentials, Engine};

use crate::arguments::ImageCommand;
use crate::fleet::{Fleet, Secrets};
use crate::platform::Platform;

use content::Content;
use program::Programs;

/// The image's name without its tag.
const NAME: &str = "deis/platform";

/// Where images are pushed to: an agent on every host answers there once the platform runs.
const REGISTRY: &str = "127.0.0.1:5000";

/// The account of roles at the registry.
const ACCOUNT: &str = "deis";

/// The label by which such images are known.
const LABEL: &str = "io.deis.image=platform";

pub(crate) async fn run(
    platform: &Platform,
    command: ImageCommand,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match command {
        ImageCommand::Build { force } => {
            let engine = platform.engine().await?;
            let name = make(&engine, force, out).await?;
            writeln!(out, "{name}")?;
            database::make_where_kept(platform, force, out).await?;
        }
        ImageCommand::Database { force } => database::make_here(platform, force, out).await?,
        ImageCommand::Push => push(platform, out).await?,
    }
    Ok(())
}

/// The image of this host's programs, made if it is missing.
pub(crate) async fn ensure(engine: &Engine, out: &mut dyn Write) -> anyhow::Result<String> {
    make(engine, false, out).await
}

async fn make(engine: &Engine, force: bool, out: &mut dyn Write) -> anyhow::Result<String> {
    let programs = Programs::find()?;
    let name = format!("{NAME}:{}", programs.tag()?);
    if !force && engine.images.inspect(&name).await?.is_some() {
        return Ok(name);
    }
    let content = Content::gather(&programs)?;
    for warning in content.warnings() {
        writeln!(out, "{warning}")?;
    }
    let root = archive::write(&content)?;
    writeln!(out, "Importing {name}: {} MB", root.metadata()?.len() / 1_000_000)?;
    let changes = changes();
    engine.images.import(&name, Box::new(tokio::fs::File::from_std(root)), &changes).await?;
    Ok(name)
}

/// The image's settings in Dockerfile instructions.
fn changes() -> Vec<String> {
    let instructions = [
        format!("ENV PATH={}", content::PROGRAMS),
        format!("LABEL {LABEL}"),
        "WORKDIR /".to_owned(),
        "ENTRYPOINT [\"deisd\"]".to_owned(),
        "CMD [\"run\"]".to_owned(),
    ];
    instructions.to_vec()
}

/// Pushes this host's image to the platform's registry, and says how the roles come to run from it.
async fn push(platform: &Platform, out: &mut dyn Write) -> anyhow::Result<()> {
    let fleet = Fleet::if_any(platform).await?.context(
        "this host manages no cluster with a platform, so there is no registry to push to; images of one machine need none",
    )?;
    let name = ensure(&fleet.engine, out).await?;
    let target = format!("{REGISTRY}/{name}");
    fleet.engine.images.tag(&name, &target).await?;
    let Some(secrets) = fleet.documents.read::<Secrets>().await? else {
        bail!("this cluster knows of no platform; make it one with `deisctl init`");
    };
    let credentials = Credentials { username: ACCOUNT.to_owned(), password: secrets.registry_password };
    let (progress, mut lines) = mpsc::channel(64);
    let pushed = fleet.engine.images.push(&target, &credentials, progress);
    let told = async {
        let mut shown = BTreeMap::new();
        while let Some(line) = lines.recv().await {
            // Engines repeat a layer's line with every percent.
            let (layer, rest) = line.split_once(':').unwrap_or((line.as_str(), ""));
            if shown.insert(layer.to_owned(), rest.len()).is_none() {
                writeln!(out, "  {line}")?;
            }
        }
        anyhow::Ok(())
    };
    let (pushed, told) = tokio::join!(pushed, told);
    pushed.context("failed to push the image; is the registry up? See `deisctl status registry`")?;
    told?;
    writeln!(out, "{target}\n\nHave the roles run from it, one after the other, with:\n")?;
    writeln!(out, "  deisctl config platform set image={target}")?;
    Ok(())
}
