//! The tallies of one app: of the releases that serve it, and of the one before.

use std::sync::Arc;

use deis_model::{AppId, ReleaseVersion};

use super::Tally;

/// Releases that no longer serve but are still shown: what was counted since they were last read would be lost.
const KEPT: usize = 1;

/// The tallies of one app, newest first. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Tallies(Vec<Arc<Tally>>);

impl Tallies {
    /// The tallies of `app` (none: the platform's API) now that `release` is its newest and `serving` serve it.
    /// Those it had before go on.
    pub(crate) fn new(
        app: Option<&AppId>,
        release: Option<ReleaseVersion>,
        serving: impl Iterator<Item = ReleaseVersion>,
        before: Option<&Self>,
    ) -> Self {
        let known = |release| before.and_then(|before| before.find(release)).map(Arc::clone);
        let tally = |release| known(release).unwrap_or_else(|| Arc::new(Tally::new(app.cloned(), release)));
        let mut tallies = vec![tally(release)];
        for serving in serving.map(Some) {
            if tallies.iter().all(|tally| tally.release != serving) {
                tallies.push(tally(serving));
            }
        }
        let earlier = before.into_iter().flat_map(|before| &before.0);
        let is_gone = |tally: &&Arc<Tally>| tallies.iter().all(|kept| !Arc::ptr_eq(kept, tally));
        let earlier: Vec<_> = earlier.filter(is_gone).take(KEPT).cloned().collect();
        tallies.extend(earlier);
        Self(tallies)
    }

    /// That of the newest release: for requests that reach no endpoint.
    pub(crate) fn newest(&self) -> &Arc<Tally> {
        self.0.first().expect("the register gives one at least")
    }

    /// That of `release`; if that serves no longer, of the newest.
    pub(crate) fn of(&self, release: Option<ReleaseVersion>) -> &Arc<Tally> {
        self.find(release).unwrap_or_else(|| self.newest())
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Tally>> {
        self.0.iter()
    }

    fn find(&self, release: Option<ReleaseVersion>) -> Option<&Arc<Tally>> {
        self.0.iter().find(|tally| tally.release == release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves through `steps`, each the newest release and those that serve, and shows what is kept after the last.
    fn check(steps: &[(u32, &[u32])], expected: &[u32]) {
        let app = AppId::parse("blog").unwrap();
        let mut tallies: Option<Tallies> = None;
        for (release, serving) in steps {
            let serving = serving.iter().filter_map(|number| ReleaseVersion::new(*number));
            let release = ReleaseVersion::new(*release);
            tallies = Some(Tallies::new(Some(&app), release, serving, tallies.as_ref()));
        }
        let kept: Vec<u32> =
            tallies.unwrap().iter().filter_map(|tally| Some(tally.release?.number())).collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn the_release_before_is_kept_and_no_more() {
        check(&[(2, &[2])], &[2]);
        check(&[(2, &[2]), (3, &[3])], &[3, 2]);
        check(&[(2, &[2]), (3, &[3]), (4, &[4])], &[4, 3]);
        check(&[(2, &[2]), (3, &[2, 3])], &[3, 2]);
        check(&[(2, &[2]), (3, &[2, 3]), (4, &[4])], &[4, 3]);
        check(&[(2, &[2]), (3, &[3]), (2, &[2])], &[2, 3]);
    }

    #[test]
    fn a_release_that_goes_on_is_counted_on() {
        let release = ReleaseVersion::new(2);
        let first = Tallies::new(None, release, release.into_iter(), None);
        let second = Tallies::new(None, release, std::iter::empty(), Some(&first));
        assert!(Arc::ptr_eq(first.newest(), second.newest()));
    }
}
