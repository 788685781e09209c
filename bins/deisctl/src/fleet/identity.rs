//! Who belongs to the platform: its authority, and what makes a process one of its roles.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use deis_runtime::identity::{Authority, IdentityBundle};

use crate::unit::Unit;

use super::Document;

/// The role that `deisctl` itself has for the others.
pub(crate) const OPERATOR: &str = "deisctl";

/// A role's bundle is made anew when it has less than this left: two years of five.
const RENEW_BEFORE: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);

/// The platform's authority and the bundles that it issued. No `Debug`: all of it is secret.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Identities {
    authority: String,
    /// By role. Kept, because a role whose bundle changes starts anew.
    bundles: BTreeMap<String, String>,
}

impl Identities {
    /// A new authority, and a bundle of every role.
    pub(crate) fn create() -> anyhow::Result<Self> {
        let authority = Authority::create().context("failed to make the platform's authority")?;
        let mut made = Self { authority: authority.to_pem(), bundles: BTreeMap::new() };
        made.renew(SystemTime::now())?;
        Ok(made)
    }

    /// Issues the bundles that are missing, or end before long.
    pub(crate) fn renew(&mut self, now: SystemTime) -> anyhow::Result<()> {
        let due: Vec<_> = roles().filter(|role| !self.lasts(role, now)).collect();
        if due.is_empty() {
            return Ok(());
        }
        let authority =
            Authority::from_pem(&self.authority).context("failed to read the platform's authority")?;
        for role in due {
            let bundle =
                authority.issue(role).with_context(|| format!("failed to issue the {role}'s identity"))?;
            self.bundles.insert(role.to_owned(), bundle.to_pem());
        }
        Ok(())
    }

    /// The bundle of `role`.
    pub(crate) fn bundle(&self, role: &str) -> anyhow::Result<&str> {
        let bundle = self.bundles.get(role).map(String::as_str);
        bundle.with_context(|| {
            format!("there is no identity of the {role} yet; make it with `deisctl start platform`")
        })
    }

    fn lasts(&self, role: &str, now: SystemTime) -> bool {
        let bundle = self.bundles.get(role).and_then(|text| IdentityBundle::parse(text).ok());
        bundle.is_some_and(|bundle| bundle.expires() > now + RENEW_BEFORE)
    }
}

impl Document for Identities {
    const NAME: &'static str = "deis-authority";
}

fn roles() -> impl Iterator<Item = &'static str> {
    Unit::ALL.into_iter().map(Unit::as_str).chain([OPERATOR])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_stay_as_they_are_until_they_end_before_long() {
        let mut identities = Identities::create().expect("made");
        let before = identities.bundles.clone();
        identities.renew(SystemTime::now()).expect("looked");
        assert!(identities.bundles == before);
        identities.renew(SystemTime::now() + Duration::from_secs(4 * 365 * 24 * 60 * 60)).expect("renewed");
        assert!(identities.bundles.values().zip(before.values()).all(|(new, old)| new != old));
    }

    #[test]
    fn every_unit_and_the_operator_have_a_bundle_of_their_own() {
        let identities = Identities::create().expect("made");
        for role in roles() {
            let bundle = IdentityBundle::parse(identities.bundle(role).expect("made")).expect("a bundle");
            assert_eq!(bundle.role(), role);
        }
        assert!(identities.bundle("nobody").is_err());
    }
}
