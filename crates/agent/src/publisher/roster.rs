//! Which containers serve: decisions only; times and outcomes of probes are handed in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deis_api::internal::ReportedEndpoint;
use deis_model::{AppId, ContainerState, ContainerStatus, HealthCheck};
use tokio::time::Instant;

use super::entry::{Entry, LONGEST_WAIT};

/// The first report waits at most so long for containers that neither pass nor fail.
const FIRST_REPORT_LIMIT: Duration = Duration::from_secs(10);

/// A probe to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) address: SocketAddr,
    pub(super) health_check: HealthCheck,
    incarnation: Incarnation,
}

/// One run of one container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Incarnation {
    id: String,
    started_at: i64,
}

/// The running containers with a port, and how they were judged.
pub(super) struct Roster {
    entries: BTreeMap<Incarnation, Entry>,
    opened: Instant,
    /// Whether everything was seen once.
    complete: bool,
}

impl Roster {
    /// An empty one.
    pub(super) fn new(now: Instant) -> Self {
        Self { entries: BTreeMap::new(), opened: now, complete: false }
    }

    /// Takes note of the containers of `app` (or all), seen at `now`, which is `wall` in Unix nanoseconds.
    /// Answers whether the report changes.
    pub(super) fn note(
        &mut self,
        app: Option<&AppId>,
        seen: Vec<ContainerStatus>,
        now: Instant,
        wall: i64,
    ) -> bool {
        let mut rest = std::mem::take(&mut self.entries);
        let concerned = |entry: &Entry| app.is_none_or(|app| entry.container.name.workload.app == *app);
        self.entries.extend(rest.extract_if(.., |_, entry| !concerned(entry)));
        for container in seen {
            let Some(address) = routable(&container) else { continue };
            let incarnation = Incarnation { id: container.id.clone(), started_at: container.started_at };
            let found = !self.complete;
            let entry =
                rest.remove(&incarnation).unwrap_or_else(|| Entry::new(container, address, found, now, wall));
            self.entries.insert(incarnation, entry);
        }
        let first = app.is_none() && !self.complete;
        self.complete |= app.is_none();
        first || rest.values().any(|gone| gone.judgement.is_some())
    }

    /// Up to `room` probes that are due; each is to be concluded.
    pub(super) fn due(&mut self, now: Instant, room: usize) -> Vec<Probe> {
        let due = self.entries.iter_mut().filter(|(_, entry)| !entry.probing && entry.next_probe <= now);
        let probes = due.take(room).map(|(incarnation, entry)| {
            entry.probing = true;
            Probe {
                address: entry.address,
                health_check: entry.container.health_check.clone().unwrap_or_default(),
                incarnation: incarnation.clone(),
            }
        });
        probes.collect()
    }

    /// When the next probe is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries.values().filter(|entry| !entry.probing).map(|entry| entry.next_probe).min()
    }

    /// Takes note of how a probe ended. Answers whether the report changes.
    pub(super) fn conclude(&mut self, probe: &Probe, outcome: Result<(), String>, now: Instant) -> bool {
        match self.entries.get_mut(&probe.incarnation) {
            Some(entry) => entry.conclude(outcome, now),
            None => false,
        }
    }

    /// What to report; none while containers that ran before us are not judged.
    pub(super) fn report(&self, now: Instant) -> Option<Vec<ReportedEndpoint>> {
        let patience_over = now >= self.opened + FIRST_REPORT_LIMIT;
        let undecided = |entry: &Entry| {
            entry.found && entry.judgement.is_none() && entry.next_probe <= now + LONGEST_WAIT
        };
        let decided = patience_over || !self.entries.values().any(undecided);
        (self.complete && decided).then(|| self.endpoints())
    }

    fn endpoints(&self) -> Vec<ReportedEndpoint> {
        let mut endpoints: Vec<_> = self.entries.values().filter_map(Entry::report).collect();
        endpoints.sort_by(|one, other| one.container.cmp(&other.container));
        endpoints
    }
}

/// Where visitors reach the container, if they can.
fn routable(container: &ContainerStatus) -> Option<SocketAddr> {
    let up = container.state == ContainerState::Up && container.health_check.is_some();
    container.address.filter(|_| up)
}

/// Unix time in nanoseconds.
pub(super) fn wall_clock() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deis_model::ContainerName;

    struct Scene {
        roster: Roster,
        now: Instant,
    }

    fn container(name: &str, started_at: i64) -> ContainerStatus {
        ContainerStatus {
            name: ContainerName::parse(name).expect("valid"),
            id: name.to_owned(),
            state: ContainerState::Up,
            address: Some(([127, 0, 0, 1], 5000).into()),
            health_check: Some(HealthCheck::default()),
            restarts: 0,
            started_at,
            exit_code: None,
            out_of_memory: false,
            trouble: None,
            misplaced: false,
            fingerprint: String::new(),
        }
    }

    impl Scene {
        fn new(names: &[&str]) -> Self {
            let now = Instant::now();
            let mut scene = Self { roster: Roster::new(now), now };
            scene.see(names);
            scene
        }

        fn see(&mut self, names: &[&str]) -> bool {
            let seen = names.iter().map(|name| container(name, 1)).collect();
            self.roster.note(None, seen, self.now, 2)
        }

        /// Passes time until a probe is due and ends all that are.
        fn probe(&mut self, outcome: Result<(), &str>) -> bool {
            self.now = self.roster.next_due().expect("a probe comes due").max(self.now);
            let probes = self.roster.due(self.now, usize::MAX);
            probes.iter().fold(false, |changed, probe| {
                self.roster.conclude(probe, outcome.map_err(str::to_owned), self.now) | changed
            })
        }

        /// `blog_v2.web.1+` where ready, `-` where not; none before the first report.
        fn report(&self) -> Option<Vec<String>> {
            let told = self.roster.report(self.now)?.into_iter();
            Some(told.map(|one| format!("{}{}", one.container, if one.ready { '+' } else { '-' })).collect())
        }
    }

    fn told(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_first_report_waits_until_all_that_ran_before_are_judged() {
        let mut scene = Scene::new(&["blog_v2.web.1", "shop_v1.web.1"]);
        assert_eq!(scene.report(), None);
        assert!(scene.probe(Ok(())));
        assert_eq!(scene.report(), told(&["blog_v2.web.1+", "shop_v1.web.1+"]));
    }

    #[test]
    fn without_containers_the_first_report_is_empty() {
        assert_eq!(Scene::new(&[]).report(), told(&[]));
        let fresh = Roster::new(Instant::now());
        assert_eq!(fresh.report(Instant::now()), None, "nothing was seen yet");
    }

    #[test]
    fn one_failure_withdraws_neither_what_served_nor_what_ran_before() {
        let mut scene = Scene::new(&["blog_v2.web.1"]);
        assert!(!scene.probe(Err("refused")));
        assert!(scene.probe(Ok(())));
        assert!(!scene.probe(Err("refused")));
        assert!(!scene.probe(Err("refused")));
        assert_eq!(scene.report(), told(&["blog_v2.web.1+"]));
        assert!(scene.probe(Err("refused")));
        assert_eq!(scene.report(), told(&["blog_v2.web.1-"]));
        assert!(scene.probe(Ok(())));
        assert_eq!(scene.report(), told(&["blog_v2.web.1+"]));
    }

    #[test]
    fn a_new_container_is_reported_with_its_first_judgement() {
        let mut scene = Scene::new(&[]);
        assert!(!scene.see(&["blog_v3.web.1"]));
        assert_eq!(scene.report(), told(&[]));
        assert!(scene.probe(Err("refused")));
        assert_eq!(scene.report(), told(&["blog_v3.web.1-"]));
        assert!(!scene.probe(Err("refused")), "the same again is no news");
        assert!(scene.probe(Ok(())));
        assert_eq!(scene.report(), told(&["blog_v3.web.1+"]));
    }

    #[test]
    fn a_container_that_is_gone_leaves_at_once_and_a_restarted_one_begins_anew() {
        let mut scene = Scene::new(&["blog_v2.web.1"]);
        scene.probe(Ok(()));
        let restarted = vec![container("blog_v2.web.1", 7)];
        assert!(scene.roster.note(None, restarted, scene.now, 8));
        assert_eq!(scene.report(), told(&[]));
        scene.probe(Ok(()));
        assert_eq!(scene.report(), told(&["blog_v2.web.1+"]));
        assert!(scene.see(&[]));
        assert_eq!(scene.report(), told(&[]));
    }

    #[test]
    fn a_look_at_one_app_leaves_the_others_alone() {
        let mut scene = Scene::new(&["blog_v2.web.1", "shop_v1.web.1"]);
        scene.probe(Ok(()));
        let blog = AppId::parse("blog").expect("valid");
        assert!(scene.roster.note(Some(&blog), Vec::new(), scene.now, 2));
        assert_eq!(scene.report(), told(&["shop_v1.web.1+"]));
    }

    #[test]
    fn the_initial_delay_counts_from_the_start_of_the_container() {
        let mut slow = container("blog_v2.web.1", 1_000_000_000);
        slow.health_check = Some(HealthCheck { initial_delay_seconds: 10, ..Default::default() });
        let now = Instant::now();
        let mut roster = Roster::new(now);
        roster.note(None, vec![slow], now, 5_000_000_000);
        assert_eq!(roster.next_due(), Some(now + Duration::from_secs(6)));
        assert_eq!(roster.report(now).map(|report| report.len()), Some(0), "nothing waits for it");
    }
}
