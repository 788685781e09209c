//! `perms:…`: who else may work on an app, and who administers the platform.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use deis_api::v1::{AdminUser, Collaborators};

use crate::apps::path;
use crate::client::segment;
use crate::options::{AppOption, ListOptions};
use crate::output;
use crate::progress::announced;
use crate::session::Session;

/// Commands of permissions.
#[derive(Subcommand)]
pub(crate) enum Perms {
    /// List an app's collaborators, or the platform's administrators
    #[command(name = "perms:list")]
    List {
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Let a user work on an app, or administer the platform
    #[command(
        name = "perms:create",
        after_help = "Examples:\n  deis perms:create ann -a blog\n  deis perms:create ann --admin"
    )]
    Create {
        /// The user
        username: String,
        #[command(flatten)]
        scope: Scope,
    },
    /// Let a user do so no longer
    #[command(name = "perms:delete")]
    Delete {
        /// The user
        username: String,
        #[command(flatten)]
        scope: Scope,
    },
}

/// What a permission is for.
#[derive(Args)]
pub(crate) struct Scope {
    #[command(flatten)]
    app: AppOption,
    /// Administration of the platform instead of an app
    #[arg(long, conflicts_with = "app")]
    admin: bool,
}

impl Scope {
    /// The app; none for the platform.
    fn app(&self, session: &Session) -> Result<Option<String>> {
        if self.admin { Ok(None) } else { session.app(&self.app).map(Some) }
    }
}

impl Perms {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { scope, list } => match scope.app(&session)? {
                Some(app) => collaborators(&session, &app, list.format.json).await,
                None => administrators(&session, &list).await,
            },
            Self::Create { username, scope } => create(&session, scope.app(&session)?, &username).await,
            Self::Delete { username, scope } => delete(&session, scope.app(&session)?, &username).await,
        }
    }
}

async fn collaborators(session: &Session, app: &str, json: bool) -> Result<()> {
    let mut users = session.client.read::<Collaborators>(&format!("{}perms/", path(app))).await?.users;
    if json {
        return Ok(output::json(&json!(users))?);
    }
    users.sort();
    output::line(format_args!("=== {app}'s Users"))?;
    Ok(output::lines(users)?)
}

async fn administrators(session: &Session, list: &ListOptions) -> Result<()> {
    let listing = session.client.list("/v1/admin/perms/", list.limit(&session.settings)).await?;
    if list.format.json {
        return Ok(output::json(&listing.results)?);
    }
    let total = listing.total;
    let mut names: Vec<String> =
        listing.items::<AdminUser>()?.into_iter().map(|user| user.username).collect();
    names.sort();
    output::title("Administrators", names.len(), total)?;
    Ok(output::lines(names)?)
}

async fn create(session: &Session, app: Option<String>, username: &str) -> Result<()> {
    let (text, path) = match app {
        Some(app) => {
            (format!("Adding {username} to {app} collaborators... "), format!("{}perms/", path(&app)))
        }
        None => (format!("Adding {username} to system administrators... "), "/v1/admin/perms/".to_owned()),
    };
    let body = json!({ "username": username });
    announced(&text, async { session.client.post(&path, &body).await.map(drop) }).await
}

async fn delete(session: &Session, app: Option<String>, username: &str) -> Result<()> {
    let user = segment(username);
    let (text, path) = match app {
        Some(app) => (
            format!("Removing {username} from {app} collaborators... "),
            format!("{}perms/{user}", path(&app)),
        ),
        None => {
            (format!("Removing {username} from system administrators... "), format!("/v1/admin/perms/{user}"))
        }
    };
    announced(&text, session.client.delete(&path, &Value::Null)).await
}
