//! Domains: host names that lead to an app.

use std::time::Duration;

use deis_database::{DatabaseError, Listing, Slice};
use deis_model::domain::{host, parse_domain};
use deis_model::permission::Action;
use deis_model::{AppId, Domain, User};

use super::apps::RESERVED;
use super::{Platform, Refusal};

/// How long a change of domains waits for routers. They learn of it in any case.
const ROUTERS_WAIT: Duration = Duration::from_secs(5);

impl Platform {
    /// The domains of an app, by name.
    pub async fn domains(&self, caller: &User, id: &str, slice: Slice) -> Result<Listing<Domain>, Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        Ok(self.database.domains(&app, slice).await?)
    }

    /// Adds a domain and waits until routers know it.
    pub async fn add_domain(&self, caller: &User, id: &str, domain: &str) -> Result<Domain, Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        let domain = parse_domain(domain).map_err(|error| Refusal::field("domain", error))?;
        let taken =
            || Refusal::field("domain", format!("The domain {domain} is already in use by another app"));
        if self.is_the_platforms(&domain) {
            return Err(taken());
        }
        let below = self.name_below_platform(&domain);
        let added = match self.database.add_domain(&app, &caller.username, &domain, below.as_ref()).await {
            Err(DatabaseError::Taken) => return Err(taken()),
            Err(DatabaseError::Overlaps { domain: other }) => {
                let text = format!("The domain {domain} overlaps with {other}, which another user's app has");
                return Err(Refusal::field("domain", text));
            }
            added => added?,
        };
        self.events.say(&app, format!("domain {domain} added"));
        self.await_routers(&app).await;
        Ok(added)
    }

    /// Removes a domain and waits until routers have forgotten it.
    pub async fn remove_domain(&self, caller: &User, id: &str, domain: &str) -> Result<(), Refusal> {
        let app = self.app(caller, id, Action::Delete).await?.id;
        if !self.database.remove_domain(&app, domain).await? {
            return Err(Refusal::NotFound);
        }
        self.events.say(&app, format!("domain {domain} removed"));
        self.await_routers(&app).await;
        Ok(())
    }

    /// Whether `domain` is, or holds as a wildcard, names of the platform itself: that of the controller with all below,
    /// and those that apps get by themselves.
    fn is_the_platforms(&self, domain: &str) -> bool {
        let host = host(domain);
        let base = host.strip_prefix("*.").unwrap_or(&host);
        let controller = format!("{RESERVED}.{}", self.domain);
        let holds_platform = base != host && is_at_or_below(&self.domain, base);
        is_at_or_below(base, &controller) || holds_platform
    }

    /// The app whose default host `domain` is, or would be, or is a wildcard below.
    fn name_below_platform(&self, domain: &str) -> Option<AppId> {
        let host = host(domain);
        let base = host.strip_prefix("*.").unwrap_or(&host);
        AppId::parse(base.strip_suffix(&*self.domain)?.strip_suffix('.')?).ok()
    }

    /// Waits until routers know what was changed about `app`, within reason. Whatever is under way, there is something
    /// that serves, and whose routes are to be known.
    pub(super) async fn await_routers(&self, app: &AppId) {
        self.deploys.wake(app);
        let Ok(Some(desired)) = self.database.desired(app).await else { return };
        if let Some(deployed) = desired.deployed {
            let routed = self.deploys.await_release(app, deployed.version);
            // Slow routers are no reason to refuse what is already written.
            let _ = tokio::time::timeout(ROUTERS_WAIT, routed).await;
        }
    }
}

fn is_at_or_below(host: &str, above: &str) -> bool {
    host.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
