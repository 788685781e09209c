//! `apps:…`: what a user deploys.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use url::Url;

use deis_api::v1::App;

use crate::client::segment;
use crate::options::{AppOption, ListOptions};
use crate::progress::{announced, spinning};
use crate::session::Session;
use crate::{domains, git, input, logs, output, prompt, ps};

/// Commands of apps.
#[derive(Subcommand)]
pub(crate) enum Apps {
    /// Create an app, and a git remote to push it to
    #[command(
        name = "apps:create",
        after_help = "Examples:\n  deis create\n  deis create blog\n  deis create blog --no-remote"
    )]
    Create {
        /// Its name, of a-z, 0-9 and -; the platform makes one up if not given
        id: Option<String>,
        /// Make no git remote
        #[arg(long)]
        no_remote: bool,
        /// The buildpack to build it with
        #[arg(short, long, value_name = "URL")]
        buildpack: Option<String>,
        /// What to call the git remote
        #[arg(short, long, value_name = "REMOTE", default_value = "deis")]
        remote: String,
    },
    /// List the apps that you may see
    #[command(name = "apps:list")]
    List {
        #[command(flatten)]
        list: ListOptions,
    },
    /// Show an app with its processes and domains
    #[command(name = "apps:info")]
    Info {
        #[command(flatten)]
        app: AppOption,
    },
    /// Open an app in a browser
    #[command(name = "apps:open")]
    Open {
        #[command(flatten)]
        app: AppOption,
    },
    /// Show what an app prints
    #[command(name = "apps:logs", after_help = "Examples:\n  deis logs\n  deis logs -n 20 -f")]
    Logs {
        #[command(flatten)]
        app: AppOption,
        /// How many lines
        #[arg(short = 'n', long, value_name = "NUM")]
        lines: Option<u32>,
        /// Go on with new lines as they are printed
        #[arg(short, long)]
        follow: bool,
    },
    /// Run a command in a new container of the app; exits as the command does
    #[command(
        name = "apps:run",
        after_help = "Examples:\n  deis run ls -la\n  deis run -a blog -- rake db:migrate\n  deis run 'ls | wc -l'\n  deis run -i psql <seed.sql"
    )]
    Run {
        #[command(flatten)]
        app: AppOption,
        /// Give the command what this one reads to its end: text of at most 1 MiB
        #[arg(short = 'i', long)]
        stdin: bool,
        /// The command; several words are joined by spaces into one line for a shell
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Destroy an app and everything that belongs to it
    #[command(
        name = "apps:destroy",
        after_help = "Examples:\n  deis destroy\n  deis destroy -a blog --confirm=blog"
    )]
    Destroy {
        #[command(flatten)]
        app: AppOption,
        /// The app's name once more, so that nothing is asked
        #[arg(long, value_name = "APP")]
        confirm: Option<String>,
    },
    /// Give an app to another user
    #[command(name = "apps:transfer", after_help = "Example:\n  deis apps:transfer ann -a blog")]
    Transfer {
        /// The new owner
        username: String,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Apps {
    /// Does it; the code is that of the remote command, if one was run.
    pub(crate) async fn run(self) -> Result<u8> {
        let session = Session::open()?;
        match self {
            Self::Create { id, no_remote, buildpack, remote } => {
                let remote = (!no_remote).then_some(remote);
                create(&session, id, buildpack, remote).await
            }
            Self::List { list } => self::list(&session, &list).await,
            Self::Info { app } => info(&session, &session.app(&app)?).await,
            Self::Open { app } => open(&session, &session.app(&app)?).await,
            Self::Logs { app, lines, follow: false } => {
                logs::print(&session, &session.app(&app)?, lines).await
            }
            Self::Logs { app, lines, follow: true } => {
                logs::follow(&session, &session.app(&app)?, lines).await
            }
            Self::Run { app, stdin, command } => {
                let input = if stdin { Some(input::read().await?) } else { None };
                return run_command(&session, &session.app(&app)?, &command, input).await;
            }
            Self::Destroy { app, confirm } => destroy(&session, &app, confirm).await,
            Self::Transfer { username, app } => transfer(&session, &session.app(&app)?, &username).await,
        }
        .map(|()| 0)
    }
}

async fn create(
    session: &Session,
    id: Option<String>,
    buildpack: Option<String>,
    remote: Option<String>,
) -> Result<()> {
    let body = id.map_or(Value::Null, |id| json!({ "id": id }));
    output::text("Creating Application... ")?;
    let app: App = spinning(session.client.create("/v1/apps/", &body)).await?;
    output::line(format_args!("done, created {}", app.id))?;
    if let Some(url) = buildpack {
        let body = json!({ "values": { "BUILDPACK_URL": url } });
        session.client.post(&format!("{}config/", path(&app.id)), &body).await?;
    }
    if let Some(remote) = remote {
        git::add_remote(&remote, &session.settings.controller, &app.id)?;
    }
    let url = git::remote_url(&session.settings.controller, &app.id)?;
    Ok(output::line(format_args!("remote available at {url}"))?)
}

async fn list(session: &Session, list: &ListOptions) -> Result<()> {
    let listing = session.client.list("/v1/apps/", list.limit(&session.settings)).await?;
    if list.format.json {
        return Ok(output::json(&listing.results)?);
    }
    let total = listing.total;
    let mut ids: Vec<String> = listing.items::<App>()?.into_iter().map(|app| app.id).collect();
    ids.sort();
    output::title("Apps", ids.len(), total)?;
    Ok(output::lines(ids)?)
}

async fn info(session: &Session, id: &str) -> Result<()> {
    let app: App = session.client.read(&path(id)).await?;
    output::line(format_args!("=== {} Application", app.id))?;
    output::lines([
        output::field("updated", &app.updated),
        output::field("uuid", &app.uuid),
        output::field("created", &app.created),
        output::field("url", &app.url),
        output::field("owner", &app.owner),
        output::field("id", &app.id),
    ])?;
    output::line("")?;
    let limit = session.settings.response_limit;
    ps::print(session, id, limit).await?;
    output::line("")?;
    domains::print(session, id, limit).await?;
    Ok(output::line("")?)
}

async fn open(session: &Session, id: &str) -> Result<()> {
    let app: App = session.client.read(&path(id)).await?;
    let url = address(&session.settings.controller, &app.url);
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let status = Command::new(opener).arg(&url).status();
    match status.with_context(|| format!("failed to run {opener}; open {url} yourself"))?.success() {
        true => Ok(()),
        false => bail!("{opener} found no browser; open {url} yourself"),
    }
}

/// Where visitors find an app: at the port at which we found the controller, since one router serves both.
fn address(controller: &str, host: &str) -> String {
    match Url::parse(controller).ok().and_then(|url| Some((url.scheme().to_owned(), url.port()?))) {
        Some((scheme, port)) => format!("{scheme}://{host}:{port}"),
        None => format!("http://{host}"),
    }
}

async fn run_command(session: &Session, app: &str, words: &[String], input: Option<String>) -> Result<u8> {
    let command = words.join(" ");
    output::line(format_args!("Running '{command}'..."))?;
    let body = match input {
        Some(input) => json!({ "command": command, "input": input }),
        None => json!({ "command": command }),
    };
    let (code, text): (i64, String) = session.client.create(&format!("{}run", path(app)), &body).await?;
    output::text(text)?;
    Ok(u8::try_from(code).unwrap_or(1))
}

async fn destroy(session: &Session, option: &AppOption, confirm: Option<String>) -> Result<()> {
    let app = session.app(option)?;
    let confirm = match confirm {
        Some(confirm) => confirm,
        None => ask_to_destroy(&app).await?,
    };
    if confirm != app {
        bail!("App {app} does not match confirm {confirm}, aborting.");
    }
    output::line(format_args!("Destroying {app}..."))?;
    let started = Instant::now();
    session.client.delete(&path(&app), &Value::Null).await?;
    output::line(format_args!("done in {}s", started.elapsed().as_secs()))?;
    match option.app {
        Some(_) => Ok(()),
        None => git::remove_remote(&session.settings.controller, &app),
    }
}

async fn ask_to_destroy(app: &str) -> Result<String> {
    output::line(" !    WARNING: Potentially Destructive Action")?;
    output::line(format_args!(" !    This command will destroy the application: {app}"))?;
    output::line(format_args!(
        " !    To proceed, type \"{app}\" or re-run this command with --confirm={app}"
    ))?;
    output::line("")?;
    prompt::ask("> ").await
}

async fn transfer(session: &Session, app: &str, username: &str) -> Result<()> {
    let body = json!({ "owner": username });
    announced(&format!("Transferring {app} to {username}... "), async {
        session.client.post(&path(app), &body).await.map(drop)
    })
    .await
}

/// The path of an app.
pub(crate) fn path(app: &str) -> String {
    format!("/v1/apps/{}/", segment(app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_opened_where_the_router_listens() {
        assert_eq!(address("http://deis.localhost:8080", "blog.localhost"), "http://blog.localhost:8080");
        assert_eq!(address("https://deis.example.com", "blog.example.com"), "http://blog.example.com");
    }
}
