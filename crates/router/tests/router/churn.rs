//! Thousands of routes, all of them changed while visitors ask.

use std::time::Duration;

use crate::support::{App, Load, Scene};

/// As many as a large platform has; fewer in the program that runs the same over the other way, as tables know nothing of
/// ways.
const APPS: usize = if env!("CARGO_CRATE_NAME").len() == "router".len() { 10_000 } else { 1_000 };

/// How many routes change at a time.
const AT_ONCE: usize = 100;

/// What the process may hold after all routes have changed twice more, of what it held before: the allocator comes to rest
/// slowly. A table or a part of one that is kept for every change is many times as much.
const SLACK: f64 = 1.5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_changes_under_load_without_a_failure_or_a_leak() {
    let names: Vec<String> = (0..APPS).map(|number| format!("app-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let scene = Scene::new().await;
    let apps = [App::start("even").await, App::start("odd").await];
    let first = scene.controller.route_all(&names, 1, &[apps[1].address()]);
    scene.controller.applied(first).await;
    let load = Load::start(&scene, 6, &names[..100]);
    change_all(&scene, &names, 2, &apps[0]).await;
    let held = resident_bytes();
    for release in 3..=4 {
        change_all(&scene, &names, release, &apps[release as usize % 2]).await;
    }
    let holds = resident_bytes();
    load.more(100).await;
    load.end().await;
    assert!(holds < held * SLACK, "{held} bytes before, {holds} after two more changes of every route");
}

/// Leads every app to another container at `app`, and sees that visitors get there.
async fn change_all(scene: &Scene, names: &[&str], release: u32, app: &App) {
    for names in names.chunks(AT_ONCE) {
        let generation = scene.controller.route_all(names, release, &[app.address()]);
        scene.controller.applied(generation).await;
        let answer = scene.get(names[0], "/").await;
        assert_eq!(answer.text(), if release.is_multiple_of(2) { "even" } else { "odd" });
    }
    // What had been under way to the containers before has ended, so that nothing of them is kept.
    let last = scene.controller.route_all(&names[..1], release, &[app.address()]);
    let drained = tokio::time::timeout(Duration::from_secs(60), scene.controller.drained(last));
    drained.await.expect("requests end");
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}
