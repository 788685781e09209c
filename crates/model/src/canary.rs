//! Canaries: releases that get a part of an app's requests before they take the place of the one that serves.
//!
//! The routing setting `canary` says how many of a hundred. While it is above 0, builds and changes of config are tried
//! out in this way; promoting a canary deploys it for all, and unless somebody does, everything else stays as it is.

use std::collections::BTreeMap;

use crate::intent::effective_formation;
use crate::routing::whole_percent;
use crate::{Build, Desired, Formation};

/// The routing setting.
pub const SETTING: &str = "canary";

/// How many of a hundred requests new releases get until they are promoted; 0: they are deployed for all.
pub fn weight(settings: &BTreeMap<String, String>) -> u8 {
    settings.get(SETTING).and_then(|value| whole_percent(value)).unwrap_or(0)
}

/// Whether a release of `build` is tried out before it takes the place of one of `deployed`. Not where nothing serves, or
/// the new one would not: there is no request that could be given to one or the other.
pub fn is_due(
    settings: &BTreeMap<String, String>,
    formation: &Formation,
    deployed: Option<&Build>,
    build: &Build,
) -> bool {
    let serves = |build: &Build| !reachable(formation, build).is_empty();
    weight(settings) > 0 && deployed.is_some_and(serves) && serves(build)
}

/// How many containers of a canary of `build` run: of each type that visitors reach, in proportion to its part of the
/// requests, at least 1. The release that serves keeps all of its own.
pub fn formation(desired: &Desired, build: &Build) -> Formation {
    let weight = u32::from(weight(&desired.settings));
    let part = |replicas: u32| replicas.saturating_mul(weight).div_ceil(100).max(1);
    let whole = reachable(&desired.formation, build).into_iter();
    whole.map(|(process, replicas)| (process, part(replicas))).collect()
}

/// How many containers of each type of the release that is tried out may get traffic.
pub fn routable(desired: &Desired) -> Formation {
    let build = desired.canary.as_ref().and_then(|release| release.build.as_ref());
    build.map(|build| formation(desired, build)).unwrap_or_default()
}

/// The types that visitors reach, of those that `build` runs at all.
fn reachable(formation: &Formation, build: &Build) -> Formation {
    let mut formation = effective_formation(formation, build);
    formation.retain(|process, replicas| process.is_routable() && *replicas > 0);
    formation
}

/// How many of a hundred requests a canary gets of which `ready` containers are, of those `wanted`: it never has to bear
/// more than they are made for.
pub fn share(weight: u8, ready: usize, wanted: u32) -> u8 {
    let (ready, wanted) = (u64::try_from(ready).unwrap_or(u64::MAX), u64::from(wanted.max(1)));
    let share = u64::from(weight).saturating_mul(ready).div_ceil(wanted);
    u8::try_from(share).unwrap_or(weight).min(weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formation::tests::build;
    use crate::intent::tests::desired;
    use crate::{Config, ProcessType, ReleaseContent, ReleaseVersion};

    fn settings(weight: &str) -> BTreeMap<String, String> {
        [(SETTING.to_owned(), weight.to_owned())].into()
    }

    fn of(entries: &str) -> Formation {
        let entries = entries.split_whitespace().map(|entry| entry.split_once('=').unwrap());
        entries.map(|(name, n)| (ProcessType::parse(name).unwrap(), n.parse().unwrap())).collect()
    }

    #[test]
    fn a_canary_runs_a_part_of_what_visitors_reach() {
        let check = |weight: &str, whole: &str, expected: &str| {
            let desired = Desired { formation: of(whole), settings: settings(weight), ..desired(None) };
            let found = formation(&desired, &build("buildpack", "web worker"));
            assert_eq!(found, of(expected), "{weight} of {whole}");
        };
        check("10", "web=1 worker=4", "web=1");
        check("10", "web=30", "web=3");
        check("11%", "web=30", "web=4");
        check("100", "web=3 worker=1", "web=3");
        check("50", "web=0 worker=1", "");
    }

    #[test]
    fn only_what_visitors_reach_is_tried_out() {
        let check = |weight: &str, whole: &str, deployed: Option<&str>, new: &str, expected: bool| {
            let deployed = deployed.map(|types| build("buildpack", types));
            let due = is_due(&settings(weight), &of(whole), deployed.as_ref(), &build("buildpack", new));
            assert_eq!(due, expected, "{weight} of {whole}, {new}");
        };
        check("10", "web=1", Some("web"), "web", true);
        check("0", "web=1", Some("web"), "web", false);
        check("10", "web=1", None, "web", false);
        check("10", "web=0", Some("web"), "web", false);
        check("10", "worker=1", Some("worker"), "worker", false);
        check("10", "web=1 worker=1", Some("web worker"), "worker", false);
    }

    #[test]
    fn a_canary_gets_no_more_than_its_containers_are_made_for() {
        let check = |weight, ready, wanted, expected| {
            assert_eq!(share(weight, ready, wanted), expected, "{ready} of {wanted}");
        };
        check(10, 1, 1, 10);
        check(50, 1, 5, 10);
        check(10, 1, 3, 4);
        check(10, 0, 3, 0);
        check(10, 5, 3, 10);
        check(10, 1, 0, 10);
    }

    #[test]
    fn a_promoted_canary_is_wanted_as_a_whole() {
        let release = ReleaseContent {
            version: ReleaseVersion::FIRST,
            build: None,
            config: Config::empty(String::new(), "ann".to_owned(), time::OffsetDateTime::UNIX_EPOCH),
        };
        let tried = Desired { canary: Some(release.clone()), ..desired(None) };
        assert!(tried.is_tried_out(release.version));
        let promoted = Desired { pending: Some(release.clone()), ..tried };
        assert!(!promoted.is_tried_out(release.version));
        let trial = Desired { trial: Some(release.clone()), ..desired(None) };
        assert!(trial.is_tried_out(release.version));
    }
}
