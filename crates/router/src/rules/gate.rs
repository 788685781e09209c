//! What every request of one service passes, ready for use.

use std::net::IpAddr;
use std::sync::Arc;

use deis_model::routing::Rules;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY};

use super::bounds::Bounds;
use super::fields::Fields;
use super::firewall;
use super::head::Head;
use super::logins::Logins;
use super::refusal::Refusal;
use crate::host::Host;

/// The rules of one service, and what they remember of its clients.
pub(crate) struct Gate {
    /// What they are.
    pub(crate) rules: Arc<Rules>,
    /// Whether requests pass whatever they are, body and all else aside.
    is_open: bool,
    /// Whether nothing is to be done about requests and answers, but for compression and bodies that are too long.
    pub(crate) is_plain: bool,
    hsts: Option<HeaderValue>,
    referrer_policy: Option<HeaderValue>,
    request: Fields,
    response: Fields,
    logins: Option<Logins>,
    /// Tells its clients from those of other services.
    id: u64,
}

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// What it asks for, as the table names it.
    pub(crate) host: &'a Host,
    /// Its client.
    pub(crate) client: IpAddr,
    /// Whether it came by HTTPS, to this router or a load balancer in front.
    pub(crate) is_https: bool,
    /// How long its body is at least, in bytes.
    pub(crate) body_bytes: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

impl Gate {
    /// The gate for `rules`.
    pub(crate) fn new(rules: &Arc<Rules>) -> Self {
        let hsts = rules.https.hsts.header();
        Self {
            is_open: is_open(rules),
            is_plain: is_plain(rules),
            hsts: hsts.and_then(|text| HeaderValue::try_from(text).ok()),
            referrer_policy: rules
                .referrer_policy
                .as_ref()
                .and_then(|policy| HeaderValue::from_str(policy).ok()),
            request: Fields::new(&rules.headers.request),
            response: Fields::new(&rules.headers.response),
            logins: (!rules.basic_auth.is_empty()).then(Logins::default),
            id: rand::random(),
            rules: Arc::clone(rules),
        }
    }

    /// Whether a request passes.
    pub(crate) async fn judge(
        &self,
        bounds: &Bounds,
        arrival: &Arrival<'_>,
        head: &(impl Head + Sync),
    ) -> Result<(), Refusal> {
        if !self.is_open {
            self.judge_client(bounds, arrival, head).await?;
        }
        match self.rules.body_bytes {
            Some(longest) if arrival.body_bytes > longest => Err(Refusal::TooLarge),
            _ => Ok(()),
        }
    }

    async fn judge_client(
        &self,
        bounds: &Bounds,
        arrival: &Arrival<'_>,
        head: &(impl Head + Sync),
    ) -> Result<(), Refusal> {
        let rules = &*self.rules;
        self.judge_routed()?;
        if rules.https.is_enforced() && !arrival.is_https {
            return Err(Refusal::Moved(secure_address(arrival.host, head.target())));
        }
        self.judge_address(arrival.client)?;
        self.count(bounds, arrival.client)?;
        self.judge_maintenance()?;
        if let Some(logins) = &self.logins {
            let field = head.fields(&AUTHORIZATION).next();
            logins.check(&rules.basic_auth, field, arrival.client, bounds).await?;
        }
        if rules.firewall.is_enabled && firewall::is_attack(head) {
            let status = StatusCode::from_u16(rules.firewall.status).unwrap_or(StatusCode::BAD_REQUEST);
            return Err(Refusal::Attack(status));
        }
        Ok(())
    }

    /// Whether a connection of `client` that is passed on as it is may begin, its pace aside.
    pub(crate) fn judge_connection(&self, client: IpAddr) -> Result<(), Refusal> {
        self.judge_routed()?;
        self.judge_address(client)?;
        self.judge_maintenance()
    }

    /// Counts a request of `client`, or a connection that is passed on as it is, and holds it to the pace.
    pub(crate) fn count(&self, bounds: &Bounds, client: IpAddr) -> Result<(), Refusal> {
        match self.rules.rate_limit.pace() {
            Some((interval, burst)) => {
                bounds.limiter.take(self.id, client, interval, burst).map_err(Refusal::TooMany)
            }
            None => Ok(()),
        }
    }

    fn judge_routed(&self) -> Result<(), Refusal> {
        if self.rules.is_routable { Ok(()) } else { Err(Refusal::NotRouted) }
    }

    fn judge_address(&self, client: IpAddr) -> Result<(), Refusal> {
        if self.rules.allowance.permits(client) { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    fn judge_maintenance(&self) -> Result<(), Refusal> {
        let maintenance = &self.rules.maintenance;
        if !maintenance.is_on {
            return Ok(());
        }
        let (page, retry_after) = (maintenance.page.clone(), maintenance.retry_after);
        Err(Refusal::Maintenance { page, retry_after })
    }

    /// Changes the headers of a request that passed.
    pub(crate) fn change_request(&self, headers: &mut HeaderMap) {
        self.request.apply(headers);
    }

    /// Changes the headers of a container's answer.
    pub(crate) fn change_response(&self, headers: &mut HeaderMap) {
        self.response.apply(headers);
    }

    /// Sets what browsers are told with every answer, whoever gives it.
    pub(crate) fn tell_browsers(&self, headers: &mut HeaderMap, is_https: bool) {
        if let Some(hsts) = self.hsts.as_ref().filter(|_| is_https) {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if let Some(policy) = &self.referrer_policy {
            headers.insert(REFERRER_POLICY, policy.clone());
        }
    }
}

/// Whether all but what needs no look at requests is as if nobody had set anything. So a rule that is new counts, until
/// somebody says here that it does not.
fn is_plain(rules: &Rules) -> bool {
    let plain = Rules {
        timeouts: rules.timeouts,
        queue: rules.queue,
        body_bytes: rules.body_bytes,
        compression: rules.compression.clone(),
        allows_bare_lf: rules.allows_bare_lf,
        tcp_port: rules.tcp_port,
        slow_start: rules.slow_start,
        ejects_errors: rules.ejects_errors,
        canary_percent: rules.canary_percent,
        ..Rules::default()
    };
    plain == *rules
}

fn is_open(rules: &Rules) -> bool {
    rules.is_routable
        && !rules.https.is_enforced()
        && rules.allowance.is_open()
        && rules.rate_limit.pace().is_none()
        && !rules.maintenance.is_on
        && rules.basic_auth.is_empty()
        && !rules.firewall.is_enabled
}

/// The same by HTTPS, at the port that this has everywhere.
fn secure_address(host: &Host, target: &str) -> String {
    let target = if target.starts_with('/') { target } else { "/" };
    format!("https://{}{target}", host.as_str())
}

#[cfg(test)]
mod tests;
