//! A logged in user at work.

use anyhow::Result;

use crate::app_name;
use crate::client::Client;
use crate::options::AppOption;
use crate::settings::Settings;

/// Who is logged in, and a client to call as them.
pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
}

impl Session {
    /// The session of the profile in force.
    pub(crate) fn open() -> Result<Self> {
        Self::of(Settings::load()?)
    }

    /// A session with this login.
    pub(crate) fn of(settings: Settings) -> Result<Self> {
        let client = Client::new(&settings.controller, &settings.token, settings.ssl_verify)?;
        Ok(Self { settings, client })
    }

    /// The app that `option` names, or the one of this directory.
    pub(crate) fn app(&self, option: &AppOption) -> Result<String> {
        match &option.app {
            Some(app) => Ok(app.clone()),
            None => app_name::detect(&self.settings.controller),
        }
    }
}
