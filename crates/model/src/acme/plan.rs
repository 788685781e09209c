//! The plan: which orders begin, go on or end now, and when to look again.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::{Name, Renewal, Validity};

/// How long what belongs to a name that is gone is kept: a domain that moves from one app to another, or comes back,
/// needs no new order, of which authorities allow few for the same name.
pub const KEPT: Duration = Duration::hours(1);

/// How long after the authority was asked when certificates are to be renewed it is not asked of others: of many, each has
/// its own time.
const SURVEY_PAUSE: Duration = Duration::minutes(10);

/// How long nothing is looked at at most.
const LOOK_AGAIN: Duration = Duration::hours(1);

/// How the certificate of one name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The one that is served; none before the first.
    pub certificate: Option<Held>,
    /// The directory of the authority at which an order is under way.
    pub order: Option<String>,
    /// How often in a row an order failed.
    pub failures: u32,
    /// No order begins before.
    pub retry_at: OffsetDateTime,
    /// Since when the name leads nowhere.
    pub idle_since: Option<OffsetDateTime>,
}

/// A certificate that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The directory of the authority that issued it.
    pub directory: String,
    /// When it is good.
    pub validity: Validity,
    /// When it is to be renewed.
    pub renewal: Renewal,
}

/// How much may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The directory of the authority that certificates are ordered from.
    pub directory: String,
    /// How many orders may be under way at the same time.
    pub at_once: usize,
    /// How many may still begin before `refilled_at`.
    pub left: u32,
    /// When more may begin.
    pub refilled_at: OffsetDateTime,
    /// The authority is left alone until then.
    pub rests_until: OffsetDateTime,
}

/// What is to be done now, most urgent first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Orders that were under way when somebody else led, or before a pause, go on.
    pub resume: Vec<String>,
    /// Orders begin.
    pub begin: Vec<String>,
    /// The authority is asked when the certificates of these are to be renewed.
    pub ask: Vec<String>,
    /// Work on these ends: they are not to have certificates any more.
    pub stop: Vec<String>,
    /// These lead nowhere since now.
    pub idle: Vec<String>,
    /// These lead somewhere again.
    pub revive: Vec<String>,
    /// Everything about these goes.
    pub forget: Vec<String>,
    /// When something is to be done next, as far as nothing changes.
    pub look_again: OffsetDateTime,
}

/// What is to be done at `now` for `names`, of which `busy` are being worked on.
pub fn plan(
    now: OffsetDateTime,
    names: &BTreeMap<String, Name>,
    progress: &BTreeMap<String, Progress>,
    busy: &BTreeSet<String>,
    capacity: &Capacity,
) -> Plan {
    let mut plan = Plan::nothing(now + LOOK_AGAIN);
    plan.tidy(now, names, progress);
    plan.stop = busy.iter().filter(|host| !is_wanted(names, host)).cloned().collect();
    let wanted = names.iter().filter(|(_, name)| name.proof.is_some()).map(|(host, _)| host.as_str());
    let free = wanted.filter(|host| !busy.contains(*host));
    let (resumable, others): (Vec<&str>, Vec<&str>) = free
        .partition(|host| progress.get(*host).is_some_and(|found| found.is_ordered_at(&capacity.directory)));
    let due = plan.due(now, &others, progress, &capacity.directory);
    if capacity.rests_until > now {
        plan.look_at(capacity.rests_until);
        return plan;
    }
    let places = capacity.at_once.saturating_sub(busy.len());
    plan.resume = resumable.into_iter().take(places).map(str::to_owned).collect();
    let left = usize::try_from(capacity.left).unwrap_or(usize::MAX);
    if due.len() > left {
        plan.look_at(capacity.refilled_at);
    }
    let places = (places - plan.resume.len()).min(left);
    plan.begin = due.into_iter().take(places).map(str::to_owned).collect();
    plan.survey(now, &others, progress, &capacity.directory);
    plan
}

fn is_wanted(names: &BTreeMap<String, Name>, host: &str) -> bool {
    names.get(host).is_some_and(|name| name.proof.is_some())
}

impl Plan {
    fn nothing(look_again: OffsetDateTime) -> Self {
        let (resume, begin, ask, stop, idle, revive, forget) = Default::default();
        Self { resume, begin, ask, stop, idle, revive, forget, look_again }
    }

    fn look_at(&mut self, moment: OffsetDateTime) {
        self.look_again = self.look_again.min(moment);
    }

    /// What becomes of names that lead nowhere.
    fn tidy(
        &mut self,
        now: OffsetDateTime,
        names: &BTreeMap<String, Name>,
        progress: &BTreeMap<String, Progress>,
    ) {
        for (host, found) in progress {
            match (names.contains_key(host), found.idle_since) {
                (true, None) => {}
                (true, Some(_)) => self.revive.push(host.clone()),
                (false, None) => {
                    self.idle.push(host.clone());
                    self.look_at(now + KEPT);
                }
                (false, Some(since)) if since + KEPT <= now => self.forget.push(host.clone()),
                (false, Some(since)) => self.look_at(since + KEPT),
            }
        }
    }

    /// Of which of `hosts` the authority is asked when their certificates are to be renewed: those that it issued, and that
    /// are not renewed now.
    fn survey(
        &mut self,
        now: OffsetDateTime,
        hosts: &[&str],
        progress: &BTreeMap<String, Progress>,
        directory: &str,
    ) {
        for &host in hosts {
            let held = progress.get(host).and_then(|found| found.certificate.as_ref());
            let Some(held) = held.filter(|held| held.directory == directory) else { continue };
            if self.begin.iter().any(|begun| begun == host) {
                continue;
            }
            if held.renewal.is_unknown(now) {
                self.ask.push(host.to_owned());
            } else if let Some(moment) = held.renewal.ask_at {
                self.look_at(moment.max(now + SURVEY_PAUSE));
            }
        }
    }

    /// Those of `hosts` for which an order is due: names that have failed after others, and then those first whose
    /// certificates end first; a name without one is as urgent as a certificate that ends now.
    fn due<'a>(
        &mut self,
        now: OffsetDateTime,
        hosts: &[&'a str],
        progress: &BTreeMap<String, Progress>,
        directory: &str,
    ) -> Vec<&'a str> {
        let mut due = Vec::new();
        for &host in hosts {
            let found = progress.get(host);
            let moment = found.map_or(now, |found| found.due(host, now, directory));
            if moment > now {
                self.look_at(moment);
                continue;
            }
            let ends = found.and_then(|found| found.certificate.as_ref());
            let ends = ends.map_or(now, |certificate| certificate.validity.not_after);
            due.push((found.is_some_and(|found| found.failures > 0), ends, host));
        }
        due.sort_unstable();
        due.into_iter().map(|(_, _, host)| host).collect()
    }
}

impl Progress {
    fn is_ordered_at(&self, directory: &str) -> bool {
        self.order.as_deref() == Some(directory)
    }

    /// When the next order for `host` is due at the authority at `directory`.
    pub fn due(&self, host: &str, now: OffsetDateTime, directory: &str) -> OffsetDateTime {
        match &self.certificate {
            Some(held) if held.directory == directory => {
                held.renewal.due(host, held.validity).max(self.retry_at)
            }
            // One of an authority that the platform does not use any more, since when nothing failed.
            Some(_) if self.failures == 0 => now,
            _ => self.retry_at,
        }
    }
}

#[cfg(test)]
mod tests;
