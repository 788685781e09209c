//! `deisctl image database`: the image that members of the database run from, made of the stack, packages and `deisd`.
//!
//! Its label holds a digest of what it was made from, so that it is made anew when that changes.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::Context;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use deis_model::Environment;
use deis_postgres::image_script;
use deis_scheduler::Engine;

use crate::unit::workload::DATABASE_IMAGE;

use super::program::Programs;

/// The image that packages are put into.
const BASE: &str = "deis/stack:latest";

/// What an image was made from.
const LABEL: &str = "io.deis.database";

/// Not a stack for apps any more: nobody should take it for one.
const DOCKERFILE: &str = "USER root
WORKDIR /
LABEL io.deis.stack=
COPY deisd /usr/bin/deisd
COPY packages /tmp/packages
RUN sh /tmp/packages && rm /tmp/packages
ENTRYPOINT [\"deisd\"]
CMD [\"run\", \"database\"]
";

/// Settings of this host's that package managers follow.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// Makes the image, unless it is there already.
pub(super) async fn make(engine: &Engine, force: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let deisd = Programs::find()?.own("deisd").context("there is no program deisd on this host")?;
    let program = fs::read(&deisd).with_context(|| format!("failed to read {}", deisd.display()))?;
    let digest = digest(&program);
    let made = engine.images.list(&format!("{LABEL}={digest}")).await?;
    if !force && made.iter().any(|image| image == DATABASE_IMAGE) {
        writeln!(out, "{DATABASE_IMAGE}")?;
        return Ok(());
    }
    if engine.images.inspect(BASE).await?.is_none() {
        anyhow::bail!(
            "there is no image {BASE} to make the database's of; make it with `deisctl stack build`"
        );
    }
    writeln!(out, "Making {DATABASE_IMAGE} from packages; this takes a minute or two")?;
    let context = Box::new(Cursor::new(context(&program)?));
    let labels = BTreeMap::from([(LABEL.to_owned(), digest)]);
    let (progress, mut lines) = mpsc::channel(64);
    let proxies = proxies();
    let built = engine.images.build(DATABASE_IMAGE, context, &proxies, &labels, progress);
    let told = async {
        while let Some(line) = lines.recv().await {
            writeln!(out, "  {line}")?;
        }
        anyhow::Ok(())
    };
    let (built, told) = tokio::join!(built, told);
    built.with_context(|| {
        format!("failed to make {DATABASE_IMAGE}; does this host reach a mirror of packages?")
    })?;
    told?;
    writeln!(out, "{DATABASE_IMAGE}")?;
    Ok(())
}

fn digest(program: &[u8]) -> String {
    let script = image_script();
    let mut hash = Sha256::new();
    for part in [DOCKERFILE.as_bytes(), script.as_bytes(), program] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}

/// What the engine builds from, as a tar.
fn context(program: &[u8]) -> anyhow::Result<Vec<u8>> {
    let dockerfile = format!("FROM {BASE}\n{DOCKERFILE}");
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, mode: u32, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, Path::new(path), content)
    };
    add("Dockerfile", 0o644, dockerfile.as_bytes())?;
    add("packages", 0o644, image_script().as_bytes())?;
    add("deisd", 0o755, program)?;
    Ok(archive.into_inner()?)
}

fn proxies() -> Environment {
    let set = PROXIES.iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?)));
    Environment(set.filter(|(_, value)| !value.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_engine_is_given_the_recipe_the_packages_and_the_program() {
        let context = context(b"program").expect("written");
        let mut archive = tar::Archive::new(context.as_slice());
        let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.expect("an entry");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            (entry.path().expect("a path").display().to_string(), text)
        };
        let files: BTreeMap<_, _> = archive.entries().expect("entries").map(read).collect();
        assert!(files["Dockerfile"].starts_with("FROM deis/stack:latest\nUSER root\n"));
        assert_eq!(
            (files["packages"].as_str(), files["deisd"].as_str()),
            (image_script().as_str(), "program")
        );
    }

    #[test]
    fn another_program_makes_another_image() {
        assert_ne!(digest(b"one"), digest(b"two"));
        assert_eq!(digest(b"one").len(), 16);
    }
}
