//! What the client remembers: `~/.deis/<profile>.json`.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// How many items a list shows when nobody says.
const DEFAULT_LIMIT: i64 = 100;

/// A login. No `Debug`: it holds the token.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Who is logged in.
    #[serde(default)]
    pub(crate) username: String,
    /// Whether the controller's certificate is checked.
    #[serde(default = "checked")]
    pub(crate) ssl_verify: bool,
    /// The controller's URL, without a slash at its end.
    #[serde(default)]
    pub(crate) controller: String,
    /// What proves who is logged in.
    #[serde(default)]
    pub(crate) token: String,
    /// How many items a list shows.
    #[serde(default)]
    pub(crate) response_limit: i64,
}

fn checked() -> bool {
    true
}

impl Settings {
    /// A login that nobody has limited.
    pub(crate) fn new(username: String, controller: String, token: String, ssl_verify: bool) -> Self {
        Self { username, ssl_verify, controller, token, response_limit: DEFAULT_LIMIT }
    }

    /// The login of the profile in force.
    pub(crate) fn load() -> Result<Self> {
        match Self::find()? {
            Some(settings) => Ok(settings),
            None => bail!("Not logged in. Use 'deis login' or 'deis register' to get started."),
        }
    }

    /// The login of the profile in force, if there is one.
    pub(crate) fn find() -> Result<Option<Self>> {
        Self::read(&path()?)
    }

    /// Remembers this login for the profile in force.
    pub(crate) fn save(&self) -> Result<()> {
        let path = path()?;
        self.write(&path).with_context(|| format!("failed to write {}", path.display()))
    }

    /// Forgets the login of the profile in force; absent is success.
    pub(crate) fn remove() -> Result<()> {
        let path = path()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("failed to read {}", path.display()))?,
        };
        let mut settings: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: log in again with 'deis login'", path.display()))?;
        settings.response_limit = limit(settings.response_limit);
        Ok(Some(settings))
    }

    /// A crash leaves the file as it was, or as it is to be; nobody else can read it at any time.
    fn write(&self, path: &Path) -> Result<()> {
        let directory = path.parent().context("a profile is in a directory")?;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let kept = Self { response_limit: limit(self.response_limit), ..self.clone() };
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        Ok(fs::rename(&temporary, path)?)
    }
}

fn limit(limit: i64) -> i64 {
    if limit > 0 { limit } else { DEFAULT_LIMIT }
}

fn path() -> Result<PathBuf> {
    let profile = std::env::var("DEIS_PROFILE").ok().filter(|profile| !profile.is_empty());
    let profile = profile.unwrap_or_else(|| "client".to_owned());
    if profile.contains('/') || profile.starts_with('.') {
        bail!("DEIS_PROFILE is the name of a file in ~/.deis without its ending, not {profile:?}");
    }
    Ok(home()?.join(".deis").join(format!("{profile}.json")))
}

/// The user's home directory.
pub(crate) fn home() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(PathBuf::from).context("HOME is not set: set it to your home directory")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_login_reads_back_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".deis/client.json");
        let login = Settings::new("ann".into(), "http://deis.localhost:8080".into(), "t".into(), true);
        login.write(&path).unwrap();
        let read = Settings::read(&path).unwrap().unwrap();
        assert_eq!((read.username, read.token, read.response_limit), ("ann".into(), "t".into(), 100));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_of_the_original_client_is_understood() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.json");
        let text = r#"{"username":"ann","ssl_verify":false,"controller":"http://deis.example.com","token":"t","response_limit":0}"#;
        fs::write(&path, text).unwrap();
        let read = Settings::read(&path).unwrap().unwrap();
        assert_eq!((read.ssl_verify, read.response_limit), (false, 100));
    }

    #[test]
    fn a_missing_file_is_no_login() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Settings::read(&directory.path().join("client.json")).unwrap().is_none());
    }
}
