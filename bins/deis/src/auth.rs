//! `auth:…`: accounts and logins.

use anyhow::{Context, Result, bail};
use clap::{ArgAction, Args, Subcommand};
use serde_json::{Map, Value, json};

use deis_api::v1::Token;

use crate::client::Client;
use crate::output;
use crate::prompt::{agrees, ask_secret, given_or_ask, given_or_ask_secret};
use crate::session::Session;
use crate::settings::Settings;

/// Commands of accounts.
#[derive(Subcommand)]
pub(crate) enum Auth {
    /// Make an account at a platform, and log in
    #[command(name = "auth:register", after_help = "Example:\n  deis register http://deis.example.com")]
    Register {
        #[command(flatten)]
        place: Place,
        /// Where the platform's operators can write to
        #[arg(long, value_name = "EMAIL")]
        email: Option<String>,
    },
    /// Log in to a platform
    #[command(
        name = "auth:login",
        after_help = "Example:\n  deis login http://deis.example.com --username=ann"
    )]
    Login {
        #[command(flatten)]
        place: Place,
    },
    /// Log out: forget the login on this machine
    #[command(name = "auth:logout")]
    Logout,
    /// Change your password, or, as an administrator, anybody's
    #[command(name = "auth:passwd")]
    Passwd {
        /// The password until now
        #[arg(long, value_name = "PASSWORD")]
        password: Option<String>,
        /// The password from now on
        #[arg(long, value_name = "PASSWORD")]
        new_password: Option<String>,
        /// Whose password, if not yours
        #[arg(long, value_name = "USERNAME")]
        username: Option<String>,
    },
    /// Show who you are, and where
    #[command(name = "auth:whoami")]
    Whoami,
    /// Remove your account, or, as an administrator, anybody's
    #[command(name = "auth:cancel")]
    Cancel {
        /// Whose account, if not yours
        #[arg(long, value_name = "USERNAME")]
        username: Option<String>,
        /// Your password
        #[arg(long, value_name = "PASSWORD")]
        password: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Replace your token, so that other logins of yours end
    #[command(name = "auth:regenerate")]
    Regenerate {
        /// Whose token, if not yours
        #[arg(short, long, value_name = "USERNAME", conflicts_with = "all")]
        username: Option<String>,
        /// Every user's token, yours too
        #[arg(long)]
        all: bool,
    },
}

/// Which platform, and as whom.
#[derive(Args)]
pub(crate) struct Place {
    /// The controller's address
    controller: String,
    /// Your name
    #[arg(long, value_name = "USERNAME")]
    username: Option<String>,
    /// Your password; asked for, unseen, if not given
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Whether to check the controller's certificate
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    ssl_verify: bool,
}

impl Auth {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Register { place, email } => register(place, email).await,
            Self::Login { place } => log_in(place).await,
            Self::Logout => {
                Settings::remove()?;
                Ok(output::line("Logged out")?)
            }
            Self::Passwd { password, new_password, username } => {
                passwd(password, new_password, username).await
            }
            Self::Whoami => whoami(&Settings::load()?),
            Self::Cancel { username, password, yes } => cancel(username, password, yes).await,
            Self::Regenerate { username, all } => regenerate(username, all).await,
        }
    }
}

async fn register(place: Place, email: Option<String>) -> Result<()> {
    let controller = base(&place.controller);
    // Where only administrators may register others, their login counts.
    let token = Settings::find()?.map(|settings| settings.token).unwrap_or_default();
    Client::new(&controller, "", place.ssl_verify)?.check_controller().await?;
    let username = given_or_ask(place.username, "username: ").await?;
    let password = match place.password {
        Some(password) => password,
        None => ask_twice("password: ", "Password mismatch, aborting registration.").await?,
    };
    let email = given_or_ask(email, "email: ").await?;
    let body = json!({ "username": username, "password": password, "email": email });
    let client = Client::new(&controller, &token, place.ssl_verify)?;
    if let Err(error) = client.post("/v1/auth/register/", &body).await {
        eprint!("Registration failed: ");
        return Err(error);
    }
    output::line(format_args!("Registered {username}"))?;
    log_in_as(&controller, place.ssl_verify, &username, &password).await.map(drop)
}

async fn log_in(place: Place) -> Result<()> {
    let controller = base(&place.controller);
    Client::new(&controller, "", place.ssl_verify)?.check_controller().await?;
    let username = given_or_ask(place.username, "username: ").await?;
    let password = given_or_ask_secret(place.password, "password: ").await?;
    log_in_as(&controller, place.ssl_verify, &username, &password).await.map(drop)
}

/// Logs in, remembers it, and says so.
async fn log_in_as(controller: &str, ssl_verify: bool, username: &str, password: &str) -> Result<Settings> {
    let body = json!({ "username": username, "password": password });
    let client = Client::new(controller, "", ssl_verify)?;
    let token: Token = client.create("/v1/auth/login/", &body).await?;
    let mut settings = Settings::new(username.to_owned(), controller.to_owned(), token.token, ssl_verify);
    if let Ok(Some(before)) = Settings::find() {
        settings.response_limit = before.response_limit;
    }
    settings.save()?;
    output::line(format_args!("Logged in as {username}"))?;
    Ok(settings)
}

async fn passwd(password: Option<String>, new: Option<String>, username: Option<String>) -> Result<()> {
    let session = Session::open()?;
    let password = match (password, &username) {
        (None, None) => Some(ask_secret("current password: ").await?),
        (password, _) => password,
    };
    let new = match new {
        Some(new) => new,
        None => ask_twice("new password: ", "Password mismatch, not changing.").await?,
    };
    let fields = [("password", password), ("new_password", Some(new)), ("username", username)];
    if let Err(error) = session.client.post("/v1/auth/passwd/", &object(fields)).await {
        eprint!("Password change failed: ");
        return Err(error);
    }
    Ok(output::line("Password change succeeded.")?)
}

fn whoami(settings: &Settings) -> Result<()> {
    Ok(output::line(format_args!("You are {} at {}", settings.username, settings.controller))?)
}

async fn cancel(username: Option<String>, password: Option<String>, yes: bool) -> Result<()> {
    let mut settings = Settings::load()?;
    if username.is_none() || password.is_some() {
        output::line("Please log in again in order to cancel this account")?;
        let name = given_or_ask(username.clone(), "username: ").await?;
        let password = given_or_ask_secret(password, "password: ").await?;
        settings = log_in_as(&settings.controller, settings.ssl_verify, &name, &password).await?;
    }
    let target = username.clone().unwrap_or_else(|| settings.username.clone());
    let question = format!("cancel account {target} at {}? (y/N): ", settings.controller);
    if !yes && !agrees(&question).await? {
        eprintln!("Account not changed");
        return Ok(());
    }
    let own = target == settings.username;
    let session = Session::of(settings)?;
    session.client.delete("/v1/auth/cancel/", &object([("username", username)])).await?;
    if own {
        Settings::remove()?;
    }
    Ok(output::line("Account cancelled")?)
}

async fn regenerate(username: Option<String>, all: bool) -> Result<()> {
    let session = Session::open()?;
    let own = username.is_none() && !all;
    let body = if all { json!({ "all": true }) } else { object([("username", username)]) };
    let answer: Value = session.client.create("/v1/auth/tokens/", &body).await?;
    if own {
        let token = answer["token"].as_str().context("the controller sent no token")?.to_owned();
        Settings { token, ..session.settings }.save()?;
    }
    Ok(output::line("Token Regenerated")?)
}

async fn ask_twice(question: &str, mismatch: &str) -> Result<String> {
    let first = ask_secret(question).await?;
    let again = ask_secret(&format!("{} (confirm): ", question.trim_end_matches(": "))).await?;
    match first == again {
        true => Ok(first),
        false => bail!("{mismatch}"),
    }
}

/// An object of what is given; null, which sends no body, if nothing is.
fn object<const N: usize>(fields: [(&str, Option<String>); N]) -> Value {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
    let fields: Map<String, Value> = given.collect();
    if fields.is_empty() { Value::Null } else { fields.into() }
}

/// The controller's URL: with a scheme, without a slash at its end.
fn base(controller: &str) -> String {
    let trimmed = controller.trim_end_matches('/');
    match trimmed.contains("://") {
        true => trimmed.to_owned(),
        false => format!("http://{trimmed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_without_scheme_is_http() {
        assert_eq!(base("deis.example.com"), "http://deis.example.com");
        assert_eq!(base("https://deis.example.com/"), "https://deis.example.com");
        assert_eq!(base("deis.localhost:8080"), "http://deis.localhost:8080");
    }
}
