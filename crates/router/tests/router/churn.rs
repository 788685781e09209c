//! Thousands of routes, all of them changed while visitors ask.

use std::time::Duration;

use crate::support::{App, Client, Controller, Load, Place, Process};

/// As many as a large platform has; fewer in the program that runs the same once more, as tables know nothing of ways.
const APPS: usize = if env!("CARGO_CRATE_NAME").len() == "router".len() { 10_000 } else { 1_000 };

/// How many routes change at a time.
const AT_ONCE: usize = 100;

/// What a router may hold after a round of changes of what it held before that, in percent.
const GROWN_PERCENT: usize = 110;

/// And this, in bytes: what the system gives and takes in pieces, which is much of what a small table takes.
const SLACK_BYTES: usize = 4 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_changes_under_load_without_a_failure_or_a_leak() {
    let names: Vec<String> = (0..APPS).map(|number| format!("app-{number}")).collect();
    let stage = Stage::new(names.iter().map(String::as_str).collect()).await;
    let asked: Vec<&str> = stage.names.iter().copied().step_by(AT_ONCE).collect();
    let load = Load::start(stage.place.http(), 6, &asked);
    // A round in which pools and buffers grow as large as they get.
    stage.change_all(2, &load).await;
    let held = stage.router.resident_bytes();
    for release in 3..=4 {
        stage.change_all(release, &load).await;
    }
    let holds = stage.router.resident_bytes();
    load.end().await;
    eprintln!("{held} bytes before, {holds} after two more changes of every route");
    assert!(holds < held * GROWN_PERCENT / 100 + SLACK_BYTES, "{held} bytes became {holds}");
}

/// A router that is a process of its own, so that what it holds is all that is counted.
struct Stage<'a> {
    names: Vec<&'a str>,
    /// One for releases of even numbers, and one for others.
    apps: [App; 2],
    controller: Controller,
    place: Place,
    router: Process,
}

impl<'a> Stage<'a> {
    /// All apps at their first release.
    async fn new(names: Vec<&'a str>) -> Self {
        let (controller, apps) =
            (Controller::start().await, [App::start("even").await, App::start("odd").await]);
        let generation = controller.route_all(&names, 1, &[apps[1].address()]);
        let place = Place::new(controller.address());
        let router = place.start().await;
        controller.applied(generation).await;
        Self { names, apps, controller, place, router }
    }

    /// Leads every app to a container of `release`, and sees that visitors get there: of each part in which they change
    /// some are asked for before, meanwhile and after.
    async fn change_all(&self, release: u32, load: &Load) {
        let app = &self.apps[usize::try_from(release % 2).unwrap()];
        for names in self.names.chunks(AT_ONCE) {
            let generation = self.controller.route_all(names, release, &[app.address()]);
            load.more(10).await;
            self.controller.applied(generation).await;
            let host = format!("{}.example.com", names[0]);
            let answer = Client::connect(self.place.http()).await.get(&host, "/").await;
            assert_eq!(answer.text(), if release.is_multiple_of(2) { "even" } else { "odd" });
        }
        load.all().await;
        // What had been under way to the containers before has ended, so that nothing of them is kept.
        let last = self.controller.route_all(&self.names[..1], release, &[app.address()]);
        let drained = tokio::time::timeout(Duration::from_secs(60), self.controller.drained(last));
        drained.await.expect("requests end");
    }
}
