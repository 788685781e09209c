//! A survey: asks the authority when it would have certificates renewed that it issued. Source: RFC 9773.
//!
//! It changes its mind when it has to take certificates back; who asks it again and again has others before they end.

use std::sync::Arc;

use deis_database::{AcmePair, DatabaseError};
use deis_model::acme::{AcmeSettings, Suggestion, ask_again};
use instant_acme::{Account, Error};
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;
use tracing::warn;

use super::authority::Authority;
use super::failure::Failure;
use super::{AcmeParts, account, issued};

/// How many certificates one survey is about; the next one is about others.
const MOST: usize = 100;

/// How soon an authority is asked again that did not answer, or does not know a certificate.
const PUT_OFF: Duration = Duration::hours(6);

/// How soon it is asked again whether it suggests anything at all.
const LATER: Duration = Duration::days(1);

/// A survey of some names' certificates.
pub(super) struct Survey {
    /// What it is done with.
    pub(super) parts: AcmeParts,
    /// What operators say.
    pub(super) settings: Arc<AcmeSettings>,
    /// Held while the account is opened.
    pub(super) opening: Arc<Mutex<()>>,
    /// The names.
    pub(super) hosts: Vec<String>,
}

impl Survey {
    /// Asks to the end, and notes what was answered.
    pub(super) async fn run(self) {
        let noted = match self.complete().await {
            Ok(()) | Err(Failure::Stopped) => Ok(()),
            Err(Failure::Database(error)) => Err(error),
            Err(failure) => {
                warn!(%failure, "the certificate authority does not say when it would have certificates renewed");
                self.put_off(&self.hosts, PUT_OFF).await
            }
        };
        if let Err(error) = noted {
            warn!(%error, "failed to note when certificates are to be renewed; asking again");
        }
    }

    async fn complete(&self) -> Result<(), Failure> {
        let authority = Authority::new(self.settings.ca_certificates.as_deref()).map_err(Failure::later)?;
        let account = {
            let _turn = self.opening.lock().await;
            account::open(&self.parts, &self.settings, &authority).await?
        };
        let asked = &self.hosts[..self.hosts.len().min(MOST)];
        for pair in self.parts.database.acme_pairs(asked).await? {
            if !self.parts.gate.is_open() {
                return Err(Failure::Stopped);
            }
            match self.ask(&account, &pair).await {
                Ok((suggestion, ask_at)) => {
                    self.parts.database.note_acme_renewal(&pair, suggestion, ask_at).await?;
                }
                Err(Error::Unsupported(_)) => return Ok(self.put_off(&self.hosts, LATER).await?),
                // It does not know this one, or none of its serial number.
                Err(Error::Api(_)) => self.put_off(std::slice::from_ref(&pair.host), PUT_OFF).await?,
                Err(error) => return Err(Failure::of(error, authority.wait(), self.now()).of_no_name()),
            }
        }
        Ok(())
    }

    /// What the authority says of the certificate in `pair`, and when it wants to be asked again.
    async fn ask(
        &self,
        account: &Account,
        pair: &AcmePair,
    ) -> Result<(Option<Suggestion>, OffsetDateTime), Error> {
        let Some(id) = issued::identifier(&pair.chain) else { return Ok((None, self.now() + LATER)) };
        let (found, pause) = account.renewal_info(&id).await?;
        let window = found.suggested_window;
        Ok((Suggestion::new(window.start, window.end), ask_again(self.now(), pause)))
    }

    async fn put_off(&self, hosts: &[String], pause: Duration) -> Result<(), DatabaseError> {
        self.parts.database.put_off_acme_renewals(hosts, self.now() + pause).await
    }

    fn now(&self) -> OffsetDateTime {
        (self.parts.clock)()
    }
}
