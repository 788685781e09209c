//! `certs:…`: certificates for domains.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::segment;
use crate::options::ListOptions;
use crate::output;
use crate::progress::spinning;
use crate::session::Session;

/// Commands of certificates.
#[derive(Subcommand)]
pub(crate) enum Certs {
    /// List your certificates
    #[command(name = "certs:list")]
    List {
        #[command(flatten)]
        list: ListOptions,
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

/// What a listing shows of a certificate.
#[derive(Deserialize)]
struct Certificate {
    common_name: String,
    expires: String,
}

impl Certs {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { list } => self::list(&session, &list).await,
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
    let head = [("Common Name", "Expires"), ("-----------", "-------")];
    let rows = certs.iter().map(|cert| (cert.common_name.as_str(), cert.expires.as_str()));
    Ok(output::lines(output::columns(head.into_iter().chain(rows), 5))?)
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
