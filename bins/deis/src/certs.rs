//! `certs:…`: certificates for domains.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use deis_api::v1::{Automatic, Certificate};

use crate::client::segment;
use crate::options::{FormatOption, ListOptions};
use crate::output::{self, field};
use crate::progress::spinning;
use crate::session::Session;

/// Commands of certificates.
#[derive(Subcommand)]
pub(crate) enum Certs {
    /// List your certificates, and those that the platform gets by itself for your apps' domains
    #[command(name = "certs:list")]
    List {
        #[command(flatten)]
        list: ListOptions,
    },
    /// Show one certificate
    #[command(name = "certs:info", after_help = "Example:\n  deis certs:info www.example.com")]
    Info {
        /// What it is called, or the domain that it is for
        name: String,
        #[command(flatten)]
        format: FormatOption,
    },
    /// Add a certificate and its key
    #[command(
        name = "certs:add",
        after_help = "Example:\n  deis certs:add www.example.com.crt www.example.com.key"
    )]
    Add {
        /// The certificate's file, PEM; intermediate certificates follow it
        cert: PathBuf,
        /// The key's file, PEM
        key: PathBuf,
        /// The name it is for, if not the one in it
        #[arg(long, value_name = "NAME")]
        common_name: Option<String>,
        /// More names it is for, separated by commas
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        subject_alt_names: Vec<String>,
    },
    /// Remove a certificate
    #[command(name = "certs:remove", after_help = "Example:\n  deis certs:remove www.example.com")]
    Remove {
        /// The name it is for
        common_name: String,
    },
}

impl Certs {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { list } => self::list(&session, &list).await,
            Self::Info { name, format } => info(&session, &name, format.json).await,
            Self::Add { cert, key, common_name, subject_alt_names } => {
                let names = names(common_name, subject_alt_names);
                add(&session, &read(&cert)?, &read(&key)?, &names).await
            }
            Self::Remove { common_name } => remove(&session, &common_name).await,
        }
    }
}

async fn list(session: &Session, list: &ListOptions) -> Result<()> {
    let listing = session.client.list("/v1/certs/", list.limit(&session.settings)).await?;
    if list.format.json {
        return Ok(output::json(&listing.results)?);
    }
    let mut certs: Vec<Certificate> = listing.items()?;
    if certs.is_empty() {
        return Ok(output::line("No certs")?);
    }
    certs.sort_by(|a, b| a.common_name.cmp(&b.common_name));
    Ok(output::lines(table(&certs))?)
}

/// Names and ends, and where there are automatic ones, what became of each.
fn table(certs: &[Certificate]) -> Vec<String> {
    let names = ["Common Name", "-----------"].into_iter();
    let names = names.chain(certs.iter().map(|cert| cert.common_name.as_str()));
    let end =
        |cert: &Certificate| if cert.expires.is_empty() { "-".to_owned() } else { cert.expires.clone() };
    let ends = ["Expires", "-------"].map(str::to_owned).into_iter().chain(certs.iter().map(end));
    let uploaded = || "uploaded".to_owned();
    let state = |cert: &Certificate| cert.automatic.as_ref().map_or_else(uploaded, state);
    let states = ["State", "-----"].map(str::to_owned).into_iter().chain(certs.iter().map(state));
    let ends = match certs.iter().any(|cert| cert.automatic.is_some()) {
        true => output::columns(ends.zip(states), 5),
        false => ends.collect(),
    };
    output::columns(names.zip(ends), 5)
}

/// `issued for blog`, and what went wrong last.
fn state(automatic: &Automatic) -> String {
    let Automatic { app, state, problem, next } = automatic;
    let problem = problem.as_ref().map(|problem| format!(": {problem}"));
    let next = next.as_ref().filter(|_| problem.is_some()).map(|next| format!("; next attempt {next}"));
    format!("{state} for {app}{}{}", problem.unwrap_or_default(), next.unwrap_or_default())
}

async fn info(session: &Session, name: &str, json: bool) -> Result<()> {
    let path = format!("/v1/certs/{}", segment(name));
    if json {
        return Ok(output::json(&session.client.read::<Value>(&path).await?)?);
    }
    let cert: Certificate = session.client.read(&path).await?;
    output::line(format_args!("=== {} Certificate", cert.common_name))?;
    Ok(output::lines(description(&cert))?)
}

fn description(cert: &Certificate) -> Vec<String> {
    let mut lines = vec![field("names", cert.names.join(", ")), field("owner", &cert.owner)];
    let mut add = |label: &str, value: &str| {
        if !value.is_empty() {
            lines.push(field(label, value));
        }
    };
    add("expires", &cert.expires);
    add("added", &cert.created);
    if let Some(Automatic { app, state, problem, next }) = &cert.automatic {
        add("app", app);
        add("state", state);
        add("problem", problem.as_deref().unwrap_or_default());
        add("next", next.as_deref().unwrap_or_default());
    }
    lines
}

/// One certificate object is made per name; none means the name in the certificate.
fn names(common_name: Option<String>, others: Vec<String>) -> Vec<Option<String>> {
    match others.is_empty() {
        true => vec![common_name],
        false => common_name.into_iter().chain(others).map(Some).collect(),
    }
}

async fn add(session: &Session, certificate: &str, key: &str, names: &[Option<String>]) -> Result<()> {
    output::text("Adding SSL endpoint... ")?;
    spinning(async {
        for name in names {
            let mut body = json!({ "certificate": certificate, "key": key });
            if let Some(name) = name {
                body["common_name"] = json!(name);
            }
            session.client.post("/v1/certs/", &body).await?;
        }
        Ok(())
    })
    .await?;
    Ok(output::line("done")?)
}

async fn remove(session: &Session, name: &str) -> Result<()> {
    output::text(format_args!("Removing {name}... "))?;
    spinning(session.client.delete(&format!("/v1/certs/{}", segment(name)), &Value::Null)).await?;
    Ok(output::line("done")?)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}
