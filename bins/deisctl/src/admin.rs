//! `deisctl admin`: administrators of the platform.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use http::{Method, StatusCode};
use rand::seq::IndexedRandom;

use deis_api::client::{CallError, InternalClient};
use deis_api::internal::AdminRequest;
use deis_runtime::file::write_atomically;

use crate::arguments::{AdminCommand, AdminCreate};
use crate::platform::Platform;

/// Letters and digits that are not mistaken for one another when they are copied by hand.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// 24 of 56 characters: 139 bits.
const PASSWORD_LENGTH: usize = 24;

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn run(
    platform: &Platform,
    command: AdminCommand,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match command {
        AdminCommand::Create(create) => make(platform, &create, out).await,
    }
}

async fn make(platform: &Platform, create: &AdminCreate, out: &mut dyn Write) -> anyhow::Result<()> {
    let controller = platform.controller().await?;
    if !create.reset_password && promote(&controller, create).await? {
        writeln!(out, "{} is an administrator; the password is unchanged", create.username)?;
        return Ok(());
    }
    let (password, source) = password(create.password_file.as_deref())?;
    ask(&controller, create, Some(password.clone())).await?;
    writeln!(out, "{} is an administrator", create.username)?;
    match source {
        Source::Given => {}
        Source::Kept(path) => writeln!(out, "password in {}", path.display())?,
        Source::Shown => writeln!(out, "password, shown this once: {password}")?,
    }
    Ok(())
}

/// Makes an existing user an administrator; false if there is none of that name.
async fn promote(controller: &InternalClient, create: &AdminCreate) -> Result<bool, CallError> {
    match ask(controller, create, None).await {
        Ok(()) => Ok(true),
        Err(CallError::Refused { status: StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn ask(
    controller: &InternalClient,
    create: &AdminCreate,
    password: Option<String>,
) -> Result<(), CallError> {
    let request = AdminRequest { username: create.username.clone(), password, email: create.email.clone() };
    let call = controller.request(Method::POST, "/internal/admins").json(&request).timeout(TIMEOUT);
    controller.send(call).await.map(drop)
}

/// Where a password came from or went to.
enum Source<'a> {
    Given,
    Kept(&'a Path),
    Shown,
}

/// The password in `file`, or a new one, kept in `file` before anything depends on it.
fn password(file: Option<&Path>) -> anyhow::Result<(String, Source<'_>)> {
    let Some(path) = file else { return Ok((generated(), Source::Shown)) };
    match fs::read_to_string(path) {
        Ok(text) => match text.lines().next().unwrap_or_default() {
            "" => bail!("{} is empty; put a password on its first line, or remove it", path.display()),
            password => Ok((password.to_owned(), Source::Given)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let password = generated();
            let absolute = std::path::absolute(path)?;
            write_atomically(&absolute, format!("{password}\n").as_bytes(), 0o600)
                .with_context(|| format!("failed to write {}", path.display()))?;
            Ok((password, Source::Kept(path)))
        }
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}

fn generated() -> String {
    let mut random = rand::rng();
    let characters = (0..PASSWORD_LENGTH).filter_map(|_| ALPHABET.choose(&mut random));
    characters.map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn generated_passwords_are_long_and_differ() {
        assert_eq!(generated().len(), PASSWORD_LENGTH);
        assert_ne!(generated(), generated());
    }

    #[test]
    fn a_generated_password_is_kept_for_its_owner_only_and_used_again() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("admin.password");
        let (first, _) = password(Some(&path)).expect("generated");
        let (second, source) = password(Some(&path)).expect("read");
        assert_eq!(first, second);
        assert!(matches!(source, Source::Given));
        let mode = fs::metadata(&path).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_empty_password_file_is_refused() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("admin.password");
        fs::write(&path, "\n").expect("written");
        assert!(password(Some(&path)).is_err());
    }
}
