//! A job: the work on one name's certificate, as one task, and what is noted of how it ended.

use std::sync::Arc;

use deis_database::{AcmePair, DatabaseError};
use deis_model::AppId;
use deis_model::acme::{AcmeSettings, Proof, Validity, authority_pause, name_pause};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::answers::Answers;
use super::authority::Authority;
use super::failure::Failure;
use super::hook::Record;
use super::order::OrderWork;
use super::report::date;
use super::{AcmeParts, account};

/// How often an order goes on at once after a refusal that means nothing. Of many calls, each may be refused.
const ATTEMPTS: usize = 20;

/// Work on one name's certificate.
pub(super) struct Job {
    /// What it is done with.
    pub(super) parts: AcmeParts,
    /// What operators say.
    pub(super) settings: Arc<AcmeSettings>,
    /// Answers challenges.
    pub(super) answers: Answers,
    /// Held while the account is opened.
    pub(super) opening: Arc<Mutex<()>>,
    /// The name.
    pub(super) host: String,
    /// How it is proved that the name is the platform's.
    pub(super) proof: Proof,
    /// The end of the certificate that is served meanwhile.
    pub(super) served_until: Option<OffsetDateTime>,
    /// Whether the authority is to be told that it replaces that one.
    pub(super) replaces: bool,
    /// How often in a row orders for it failed before.
    pub(super) failures: u32,
    /// How often in a row the authority failed before.
    pub(super) authority_failures: u32,
    /// Cancelled when there is to be no certificate any more.
    pub(super) stopped: CancellationToken,
}

impl Job {
    /// Works on it to the end, and notes how it ended.
    pub(super) async fn run(self) {
        let noted = match self.complete().await {
            Ok((pair, validity)) => self.note_success(&pair, validity).await,
            Err(Failure::Name { reason, retry_at }) => self.note_failure(&reason, retry_at).await,
            Err(Failure::Database(error)) => Err(error),
            Err(Failure::Stopped) => Ok(()),
            Err(failure) => self.note_pause(failure).await,
        };
        if let Err(error) = noted {
            warn!(host = self.host, %error, "an order for a certificate was interrupted; it goes on later");
        }
    }

    /// Whether this is still to be done, by this controller.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let goes_on = self.parts.gate.is_open() && !self.stopped.is_cancelled();
        goes_on.then_some(()).ok_or(Failure::Stopped)
    }

    /// Has a DNS record cleared. What is left of it harms nobody.
    pub(super) async fn clear(&self, record: &Record) {
        let Some(hook) = &self.settings.dns_hook else { return };
        if let Err(error) = record.clear(hook).await {
            warn!(host = self.host, %error, "a record stays in DNS");
        }
    }

    async fn complete(&self) -> Result<(AcmePair, Validity), Failure> {
        let authority = Authority::new(self.settings.ca_certificates.as_deref()).map_err(Failure::later)?;
        for _ in 0..ATTEMPTS {
            match self.attempt(&authority).await {
                Err(Failure::Again) => {}
                Err(Failure::Account) => self.forget_account().await?,
                ended => return ended,
            }
        }
        Err(Failure::later("the certificate authority refuses calls again and again"))
    }

    async fn attempt(&self, authority: &Authority) -> Result<(AcmePair, Validity), Failure> {
        self.check()?;
        let account = {
            let _one_at_a_time = self.opening.lock().await;
            account::open(&self.parts, &self.settings, authority).await?
        };
        OrderWork { job: self, authority }.complete(&account).await
    }

    async fn forget_account(&self) -> Result<(), Failure> {
        warn!(
            directory = self.settings.directory,
            "the certificate authority does not know the platform's account"
        );
        Ok(self.parts.database.save_acme_account(&self.settings.directory, None, "").await?)
    }

    async fn note_success(&self, pair: &AcmePair, validity: Validity) -> Result<(), DatabaseError> {
        let rests_until = (self.parts.clock)() + validity.rest();
        let AcmeParts { database, domain, .. } = &self.parts;
        let served = database.finish_acme_order(pair, domain, validity, rests_until).await?;
        let until = date(validity.not_after);
        self.tell(served.as_ref(), format!("certificate for {} issued, valid until {until}", self.host));
        info!(host = self.host, app = ?served, until, "a certificate was issued");
        if self.authority_failures > 0 {
            let now = (self.parts.clock)();
            self.parts.database.note_acme_authority(&self.settings.directory, 0, now, None).await?;
        }
        Ok(())
    }

    async fn note_failure(
        &self,
        reason: &str,
        retry_at: Option<OffsetDateTime>,
    ) -> Result<(), DatabaseError> {
        let failures = self.failures.saturating_add(1);
        let own = (self.parts.clock)() + name_pause(&self.host, failures);
        let retry_at = retry_at.map_or(own, |wanted| wanted.max(own));
        let AcmeParts { database, domain, .. } = &self.parts;
        let served_app = database.fail_acme_order(&self.host, failures, retry_at, reason, domain).await?;
        warn!(host = self.host, app = ?served_app, failures, reason, "no certificate was issued");
        let served = self.served_until.map(|end| format!("; the one that is served ends on {}", date(end)));
        let text = format!(
            "no certificate for {}: {reason}; next attempt on {}{}",
            self.host,
            date(retry_at),
            served.unwrap_or_default()
        );
        self.tell(served_app.as_ref(), text);
        Ok(())
    }

    /// Says it in the log of the app that the name leads to by now, if it leads to one.
    fn tell(&self, app: Option<&AppId>, text: String) {
        if let Some(app) = app {
            self.parts.events.say(app, text);
        }
    }

    /// All orders rest for a while.
    async fn note_pause(&self, failure: Failure) -> Result<(), DatabaseError> {
        let reason = failure.to_string();
        let wanted = match failure {
            Failure::Later { retry_at, .. } => retry_at,
            _ => None,
        };
        let failures = self.authority_failures.saturating_add(1);
        let own = (self.parts.clock)() + authority_pause(&self.settings.directory, failures);
        let retry_at = wanted.map_or(own, |wanted| wanted.max(own));
        warn!(host = self.host, reason, "failed to go on with an order; all rest until {}", date(retry_at));
        let directory = &self.settings.directory;
        self.parts.database.note_acme_authority(directory, failures, retry_at, Some(&reason)).await
    }
}
