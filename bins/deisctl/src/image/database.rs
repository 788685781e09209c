//! `deisctl image database`: the image that members of the database run from.
//!
//! Made in two steps, so that other programs do not fetch packages again: PostgreSQL and what it needs on top of the
//! stack, named by a digest of the recipe; and on top of that `deisd`, with the tag of the platform's image.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use deis_model::Environment;
use deis_postgres::image_script;
use deis_scheduler::Engine;

use crate::fleet::{Fleet, State};
use crate::platform::Platform;
use crate::unit::Unit;
use crate::unit::workload::DATABASE_IMAGE;

use super::program::Programs;

/// A file to build from: its path, its mode, its content.
type Part<'a> = (&'a str, u32, &'a [u8]);

/// The image that packages are put into.
const BASE: &str = "deis/stack:latest";

/// The image of PostgreSQL without our programs; its tag is a digest of the recipe.
const SERVER: &str = "deis/postgres";

/// Not a stack for apps any more: nobody should take it for one.
const SERVER_RECIPE: &str = "USER root
WORKDIR /
LABEL io.deis.stack=
COPY packages /tmp/packages
RUN sh /tmp/packages && rm /tmp/packages
";

const RECIPE: &str = "COPY deisd /usr/bin/deisd
ENTRYPOINT [\"deisd\"]
CMD [\"run\", \"database\"]
";

/// What package managers follow, and the setting of builds that says so where this shell does not.
const PROXIES: [(&str, &str); 6] = [
    ("HTTP_PROXY", "httpProxy"),
    ("HTTPS_PROXY", "httpsProxy"),
    ("NO_PROXY", "noProxy"),
    ("http_proxy", "httpProxy"),
    ("https_proxy", "httpsProxy"),
    ("no_proxy", "noProxy"),
];

/// Makes the image where it is of use: on hosts that keep the platform's own database.
pub(crate) async fn make_where_kept(
    platform: &Platform,
    force: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let Some(fleet) = Fleet::if_any(platform).await? else { return Ok(()) };
    let (state, here) = (State::read(&fleet).await?, fleet.cluster.this_host().await?);
    let is_member = state.hosts_of(Unit::Database).any(|host| host.name == here);
    match is_member && !state.has_external_database() {
        true => make(&fleet.engine, Some(&state), force, out).await,
        false => Ok(()),
    }
}

/// Makes the image on the engine of this host.
pub(super) async fn make_here(platform: &Platform, force: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let state = match Fleet::if_any(platform).await? {
        Some(fleet) => Some(State::read(&fleet).await?),
        None => None,
    };
    make(&platform.engine().await?, state.as_ref(), force, out).await
}

/// Makes the image, unless it is there already; says what it is called.
pub(crate) async fn make(
    engine: &Engine,
    state: Option<&State>,
    force: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let programs = Programs::find()?;
    let name = format!("{DATABASE_IMAGE}:{}", programs.tag()?);
    if force || engine.images.inspect(&name).await?.is_none() {
        let server = make_server(engine, state, force, out).await?;
        let deisd = programs.own("deisd").context("there is no program deisd on this host")?;
        let program = fs::read(&deisd).with_context(|| format!("failed to read {}", deisd.display()))?;
        let context = context(&server, RECIPE, ("deisd", 0o755, &program))?;
        build(engine, &name, context, &Environment::default(), &mut std::io::sink()).await?;
    }
    writeln!(out, "{name}")?;
    Ok(())
}

/// Makes the image of PostgreSQL without our programs, unless it is there already; answers what it is called.
async fn make_server(
    engine: &Engine,
    state: Option<&State>,
    force: bool,
    out: &mut dyn Write,
) -> anyhow::Result<String> {
    let script = image_script();
    let name = format!("{SERVER}:{}", digest(&[SERVER_RECIPE, &script]));
    if !force && engine.images.inspect(&name).await?.is_some() {
        return Ok(name);
    }
    if engine.images.inspect(BASE).await?.is_none() {
        bail!("there is no image {BASE} to make the database's of; make it with `deisctl stack build`");
    }
    writeln!(out, "Making {name} from packages; this takes a minute or two")?;
    let context = context(BASE, SERVER_RECIPE, ("packages", 0o644, script.as_bytes()))?;
    build(engine, &name, context, &proxies(state), out).await.with_context(|| {
        format!(
            "failed to make {name}; does this host reach a mirror of packages? A proxy is named by http_proxy"
        )
    })?;
    Ok(name)
}

/// Has the engine build `name`, and prints what it says.
async fn build(
    engine: &Engine,
    name: &str,
    context: Vec<u8>,
    arguments: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (progress, mut lines) = mpsc::channel(64);
    let labels = BTreeMap::new();
    let built = engine.images.build(name, Box::new(Cursor::new(context)), arguments, &labels, progress);
    let told = async {
        while let Some(line) = lines.recv().await {
            writeln!(out, "  {line}")?;
        }
        anyhow::Ok(())
    };
    let (built, told) = tokio::join!(built, told);
    built?;
    told
}

/// 12 hex digits that differ when a part does.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..6])
}

/// What the engine builds from, as a tar: `part` on top of `base`, as `recipe` says.
fn context(base: &str, recipe: &str, part: Part<'_>) -> anyhow::Result<Vec<u8>> {
    let dockerfile = format!("FROM {base}\n{recipe}");
    let mut archive = tar::Builder::new(Vec::new());
    for (path, mode, content) in [("Dockerfile", 0o644, dockerfile.as_bytes()), part] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, Path::new(path), content)?;
    }
    Ok(archive.into_inner()?)
}

fn proxies(state: Option<&State>) -> Environment {
    let value = |name: &str, key: &str| {
        let own = env::var(name).ok().filter(|value| !value.is_empty());
        own.or_else(|| state?.settings.value("builder", key).map(str::to_owned))
    };
    let found = PROXIES.iter().filter_map(|(name, key)| Some(((*name).to_owned(), value(name, key)?)));
    Environment(found.collect())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_engine_is_given_the_recipe_and_what_it_adds() {
        let context = context(BASE, RECIPE, ("deisd", 0o755, b"program")).expect("written");
        let mut archive = tar::Archive::new(context.as_slice());
        let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.expect("an entry");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            (entry.path().expect("a path").display().to_string(), text)
        };
        let files: BTreeMap<_, _> = archive.entries().expect("entries").map(read).collect();
        assert!(files["Dockerfile"].starts_with("FROM deis/stack:latest\nCOPY deisd"));
        assert_eq!(files["deisd"], "program");
    }

    #[test]
    fn another_recipe_makes_another_image() {
        assert_ne!(digest(&["one", "two"]), digest(&["onet", "wo"]));
        assert_eq!(digest(&["one"]).len(), 12);
    }

    #[test]
    fn packages_come_through_the_proxy_that_builds_use() {
        let mut state = crate::fleet::test_state(&["lab1"]);
        state.settings.set("builder", "httpsProxy", Some("http://10.0.0.5:3128"));
        assert_eq!(proxies(Some(&state)).0["https_proxy"], "http://10.0.0.5:3128");
    }
}
