//! `users:…`: who has an account at the platform.

use anyhow::Result;
use clap::Subcommand;

use deis_api::v1::User;

use crate::options::ListOptions;
use crate::output;
use crate::session::Session;

/// Commands of users.
#[derive(Subcommand)]
pub(crate) enum Users {
    /// List the platform's users; for administrators
    #[command(name = "users:list")]
    List {
        #[command(flatten)]
        list: ListOptions,
    },
}

impl Users {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let Self::List { list } = self;
        let session = Session::open()?;
        let listing = session.client.list("/v1/users/", list.limit(&session.settings)).await?;
        if list.format.json {
            return Ok(output::json(&listing.results)?);
        }
        let total = listing.total;
        let mut names: Vec<String> = listing.items::<User>()?.into_iter().map(|user| user.username).collect();
        names.sort();
        output::title("Users", names.len(), total)?;
        Ok(output::lines(names)?)
    }
}
