//! `deisctl stack`: the image that apps are built and run in.

mod definition;

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::arguments::{StackBuild, StackCommand};
use crate::image;
use crate::platform::Platform;

use definition::Definition;

/// The label by which an image is known to be made from the same definition.
const DEFINITION_LABEL: &str = "io.deis.stack.definition";

pub(crate) async fn run(
    platform: &Platform,
    command: StackCommand,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match command {
        StackCommand::Build(build) => {
            make(platform, &build, out).await?;
            // The database's image is made on top of the stack, on the hosts that have a database.
            image::database::make_where_kept(platform, false, out).await
        }
    }
}

async fn make(platform: &Platform, build: &StackBuild, out: &mut dyn Write) -> anyhow::Result<()> {
    let begun = Instant::now();
    let definition = Definition::embedded();
    let label = format!("{DEFINITION_LABEL}={}", definition.digest());
    let images = platform.engine().await?.images;
    if !build.force && images.list(&label).await?.contains(&build.image) {
        writeln!(out, "{} is there already; --force makes it anew", build.image)?;
        return Ok(());
    }
    writeln!(
        out,
        "Making the root file system of {} from packages; this takes a minute or two",
        build.image
    )?;
    let root = file_system(&definition, out).await?;
    writeln!(
        out,
        "Importing {} MB after {} s",
        root.metadata()?.len() / 1_000_000,
        begun.elapsed().as_secs()
    )?;
    let changes = definition.changes(&label);
    images.import(&build.image, Box::new(tokio::fs::File::from_std(root)), &changes).await?;
    writeln!(out, "{} is ready after {} s", build.image, begun.elapsed().as_secs())?;
    Ok(())
}

/// Runs the script that is its argument. Without root, parts of it run as another, mapped user, who has to be able to
/// read what it writes whatever the caller's umask is.
const RUN: &str = r#"umask 022 && exec bash "$0""#;

/// The root file system as a tar in a file without a name, read from its start.
///
/// Not piped into the engine: it takes half an archive for a whole image when the build dies in between.
async fn file_system(definition: &Definition, out: &mut dyn Write) -> anyhow::Result<File> {
    let place = crate::temporary();
    let failed = || format!("failed to prepare the stack in {}; check its space and owner", place.display());
    let directory = tempfile::tempdir_in(&place).with_context(failed)?;
    let script = definition.write(directory.path()).with_context(failed)?;
    let tar = tempfile::tempfile_in(&place).with_context(failed)?;
    let mut child = Command::new("bash")
        .args(["-c", RUN])
        .arg(script)
        .env("TMPDIR", &place)
        .stdin(Stdio::null())
        .stdout(tar.try_clone().with_context(failed)?)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("failed to start bash")?;
    let told = child.stderr.take().context("the build's messages are not to be had")?;
    let last = relay(told, out).await?;
    let status = child.wait().await.context("failed to wait for the build of the stack")?;
    if !status.success() {
        bail!("failed to make the stack ({status}): {last}");
    }
    rewound(tar).with_context(failed)
}

/// Prints lines as they come, and gives back the last.
async fn relay(lines: impl AsyncRead + Unpin, out: &mut dyn Write) -> anyhow::Result<String> {
    let mut lines = BufReader::new(lines).lines();
    let mut last = String::from("it said nothing");
    while let Some(line) = lines.next_line().await? {
        writeln!(out, "  {line}")?;
        last = line;
    }
    Ok(last)
}

fn rewound(mut file: File) -> std::io::Result<File> {
    std::io::Seek::rewind(&mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_cause_is_the_last_line_and_all_lines_are_shown() {
        let mut shown = Vec::new();
        let last = relay(&b"one\nmmdebstrap is not installed\n"[..], &mut shown).await.expect("relayed");
        assert_eq!(last, "mmdebstrap is not installed");
        assert_eq!(String::from_utf8(shown).expect("text"), "  one\n  mmdebstrap is not installed\n");
    }
}
