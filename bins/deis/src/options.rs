//! Options that many commands share.

use clap::Args;

use crate::settings::Settings;

/// Which app.
#[derive(Args)]
pub(crate) struct AppOption {
    /// The app; if not given, that of this directory's git remote, or the one called like this directory
    #[arg(short, long, value_name = "APP")]
    pub(crate) app: Option<String>,
}

/// How a listing is shown.
#[derive(Args)]
pub(crate) struct ListOptions {
    /// How many to show at most
    #[arg(short, long, value_name = "NUM")]
    limit: Option<u32>,
    #[command(flatten)]
    pub(crate) format: FormatOption,
}

/// For people or for programs.
#[derive(Args)]
pub(crate) struct FormatOption {
    /// Print what the API answered, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ListOptions {
    /// The size of the page to ask for.
    pub(crate) fn limit(&self, settings: &Settings) -> i64 {
        self.limit.filter(|limit| *limit > 0).map_or(settings.response_limit, i64::from)
    }
}
