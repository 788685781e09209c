//! `whitelist:…`: addresses that alone may reach an app.

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::Value;

use crate::options::AppOption;
use crate::session::Session;
use crate::{output, routing};

const KEY: &str = "whitelist";

/// Commands of the whitelist.
#[derive(Subcommand)]
pub(crate) enum Whitelist {
    /// List the addresses that may reach an app; none: all may
    #[command(name = "whitelist:list")]
    List {
        #[command(flatten)]
        app: AppOption,
    },
    /// Let these addresses reach an app, and those only that are on its list
    #[command(
        name = "whitelist:add",
        after_help = "Examples:\n  deis whitelist:add 10.0.1.0/24:office,1.2.3.4\n  deis whitelist:add 2001:db8::/32"
    )]
    Add {
        /// Addresses and ranges, separated by commas; a label may follow each
        #[arg(value_name = "ADDRESSES", value_delimiter = ',', required = true)]
        addresses: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
    /// Take addresses off the list; when it is empty, all may reach the app
    #[command(name = "whitelist:remove", after_help = "Example:\n  deis whitelist:remove 1.2.3.4")]
    Remove {
        /// Addresses and ranges as they are listed, with or without their labels
        #[arg(value_name = "ADDRESSES", value_delimiter = ',', required = true)]
        addresses: Vec<String>,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Whitelist {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { app } => {
                let app = session.app(&app)?;
                let listed = read(&session, &app).await?;
                output::line(format_args!("=== {app} Whitelisted Addresses"))?;
                Ok(output::lines(listed)?)
            }
            Self::Add { addresses, app } => {
                let app = session.app(&app)?;
                let mut listed = read(&session, &app).await?;
                let text = format!("Adding {} to {app} whitelist", addresses.join(","));
                listed.extend(addresses.into_iter().filter(|address| !address.is_empty()));
                let mut seen = std::collections::BTreeSet::new();
                listed.retain(|address| seen.insert(address.clone()));
                write(&session, &app, &text, &listed).await
            }
            Self::Remove { addresses, app } => {
                let app = session.app(&app)?;
                let mut listed = read(&session, &app).await?;
                for address in &addresses {
                    let count = listed.len();
                    listed.retain(|entry| !is(entry, address));
                    if listed.len() == count {
                        bail!("{address} is not on the whitelist of {app}; 'deis whitelist:list' shows it");
                    }
                }
                let text = format!("Removing {} from {app} whitelist", addresses.join(","));
                write(&session, &app, &text, &listed).await
            }
        }
    }
}

async fn read(session: &Session, app: &str) -> Result<Vec<String>> {
    let settings = routing::read(session, app).await?;
    let list = settings.get(KEY).map_or("", String::as_str);
    Ok(list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect())
}

async fn write(session: &Session, app: &str, text: &str, listed: &[String]) -> Result<()> {
    let value = if listed.is_empty() { Value::Null } else { listed.join(",").into() };
    routing::set_one(session, app, text, KEY, value).await
}

/// Whether `entry` of the list is `address`, its label aside.
fn is(entry: &str, address: &str) -> bool {
    let without_label = match entry.strip_prefix('[') {
        Some(inner) => inner.split(']').next(),
        // More colons are part of an IPv6 address.
        None => entry.split_once(':').filter(|(_, label)| !label.contains(':')).map(|(plain, _)| plain),
    };
    entry == address || without_label == Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_may_be_left_out() {
        assert!(is("1.2.3.4:office", "1.2.3.4") && is("1.2.3.4:office", "1.2.3.4:office"));
        assert!(is("[2001:db8::1]:home", "2001:db8::1") && is("2001:db8::1", "2001:db8::1"));
        assert!(!is("1.2.3.4", "1.2.3.5") && !is("2001:db8::1", "2001"));
    }
}
