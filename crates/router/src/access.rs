//! The access log: a line for a request, in the router's own journal, and in an app's log if the app asks for it.
//!
//! No request waits for it. Lines of the journal are put together where the request ends, collected per core and written
//! by a thread of its own; lines for apps' logs go to the logger in batches. What comes faster than it can be written
//! is dropped and counted.

mod combined;
mod digits;
mod escape;
mod journal;
mod json;
mod line;
mod shipper;

pub(crate) use line::Line;
pub(crate) use shipper::Shipping;

use deis_api::client::{Credential, InternalClient};
use deis_model::routing::{AccessLog as Choice, LogForm};
use http::StatusCode;
use rand::Rng;

use crate::config::Config;
use crate::metrics::Counter;
use journal::Writer;
use shipper::Shipper;

/// Where lines go.
#[derive(Default)]
pub(crate) struct AccessLog {
    journal: Option<Writer>,
    shipper: Option<Shipper>,
    /// Lines that came faster than they could be written.
    pub(crate) dropped: Counter,
}

/// Which lines a request leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    journal: Option<LogForm>,
    app: Option<LogForm>,
}

impl Wanted {
    /// Those that mesh and app chose, for a request answered with `status`.
    pub(crate) fn choose(mesh: &Choice, app: Option<&Choice>, status: StatusCode) -> Self {
        Self { journal: form(mesh, status), app: app.and_then(|app| form(app, status)) }
    }

    /// Whether it leaves none.
    pub(crate) fn is_nothing(self) -> bool {
        self.journal.is_none() && self.app.is_none()
    }
}

/// The form of the line, if this request is one of those that leave one; what failed always does.
fn form(choice: &Choice, status: StatusCode) -> Option<LogForm> {
    if choice.form == LogForm::Off {
        return None;
    }
    let is_picked = choice.per_ten_thousand >= 10_000
        || status.is_server_error()
        || rand::rng().random_range(0..10_000) < choice.per_ten_thousand;
    is_picked.then_some(choice.form)
}

impl AccessLog {
    /// The one that `config` asks for, and what has to run for it. A file that cannot be written costs its lines only.
    pub(crate) fn open(config: &Config) -> (Self, Option<Shipping>) {
        let journal = config.access_log.as_ref().and_then(|path| {
            let unable = |error: &std::io::Error| {
                tracing::warn!(%error, path = %path.display(), "failed to open the access log; requests are served without");
            };
            Writer::open(path.clone()).inspect_err(unable).ok()
        });
        let key = Credential::Key(config.internal_key.clone());
        let logger = config.loggers.as_ref().map(|loggers| InternalClient::over(loggers.clone(), key));
        let (shipper, shipping) = logger.map(Shipper::new).unzip();
        (Self { journal, shipper, dropped: Counter::default() }, shipping)
    }

    /// Writes the lines that are `wanted`. Never waits.
    pub(crate) fn note(&self, wanted: Wanted, line: &Line<'_>) {
        if let (Some(journal), Some(form)) = (&self.journal, wanted.journal)
            && !journal.write(|out| line.write(form, out))
        {
            self.dropped.add();
        }
        if let (Some(shipper), Some(form), Some(app)) = (&self.shipper, wanted.app, line.app)
            && !shipper.ship(app, line.at, line.text(form))
        {
            self.dropped.add();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(form: LogForm, per_ten_thousand: u16) -> Choice {
        Choice { form, per_ten_thousand }
    }

    #[test]
    fn what_failed_is_always_logged() {
        let none = choice(LogForm::Json, 0);
        assert_eq!(form(&none, StatusCode::OK), None);
        assert_eq!(form(&none, StatusCode::NOT_FOUND), None);
        assert_eq!(form(&none, StatusCode::BAD_GATEWAY), Some(LogForm::Json));
        assert_eq!(form(&choice(LogForm::Off, 10_000), StatusCode::BAD_GATEWAY), None);
    }

    #[test]
    fn a_sample_is_a_part_of_all() {
        let part = choice(LogForm::Combined, 2_500);
        let picked = (0..10_000).filter(|_| form(&part, StatusCode::OK).is_some()).count();
        assert!((2_000..3_000).contains(&picked), "{picked}");
    }

    #[test]
    fn mesh_and_app_choose_each_for_themselves() {
        let (all, off) = (choice(LogForm::Json, 10_000), choice(LogForm::Off, 10_000));
        let wanted = Wanted::choose(&all, None, StatusCode::OK);
        assert_eq!((wanted.journal, wanted.app), (Some(LogForm::Json), None));
        let wanted = Wanted::choose(&off, Some(&all), StatusCode::OK);
        assert_eq!((wanted.journal, wanted.app), (None, Some(LogForm::Json)));
        assert!(Wanted::choose(&off, Some(&off), StatusCode::BAD_GATEWAY).is_nothing());
    }
}
