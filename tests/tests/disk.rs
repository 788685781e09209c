//! Full disks: whoever asks is told, nothing acknowledged is lost, and all works again once there is room.

use std::time::Duration;

use deis_tests::{Options, Platform, PrivateEngine, Repository, Site, SmallDisk, User, has_engine};

/// How long the platform may take to come to rest.
const CONVERGES: Duration = Duration::from_secs(60);

const DOCKERFILE: &str = r#"FROM example/base:latest
COPY index.html /www/index.html
CMD ["/bin/sh", "-c", "(i=0; while :; do i=$((i+1)); echo line $i.; busybox usleep 20000; done) & exec busybox httpd -f -p 5000 -h /www"]
"#;

/// A platform that keeps what `variable` names on `disk`.
fn platform(variable: &'static str, value: String) -> (PrivateEngine, Platform) {
    let engine = PrivateEngine::start();
    engine.import("example/base:latest", "base");
    let image = "example/base:latest".to_owned();
    let settings = vec![("DEIS_SCHEDULER", engine.url()), ("DEIS_STACK_IMAGE", image), (variable, value)];
    let platform = Platform::start_with(Options { settings, ..Options::default() });
    (engine, platform)
}

fn deployed(platform: &Platform) -> (User, Repository) {
    let user = platform.user("ann");
    let app = user.create_app_of("blog", &[("Dockerfile", DOCKERFILE), ("index.html", "one")]);
    app.push().succeeded();
    platform.answers("blog", "one");
    (user, app)
}

#[test]
fn a_push_into_a_full_store_is_refused_and_works_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(64).filter(|_| has_engine()) else { return };
    let directory = disk.path().display().to_string();
    let (_engine, platform) = platform("DEIS_STORE", format!("file://{directory}/store"));
    let (_user, app) = deployed(&platform);
    disk.fill();
    app.write("index.html", &"two".repeat(100_000));
    app.commit("second");
    let refused = app.push().failed_with("no space left on device of the registry");
    let lines = refused.stderr.lines().filter(|line| line.contains("no space left")).count();
    assert_eq!(lines, 1, "{}", refused.all());
    assert!(platform.journal().contains(&format!("no space left; free space in {directory}/store")));
    assert_eq!(platform.get("blog.localhost", "/").0, 200);
    disk.free();
    app.push().succeeded();
    platform.answers("blog", "two");
}

#[test]
fn a_full_data_directory_refuses_changes_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(64).filter(|_| has_engine()) else { return };
    let (_engine, platform) = platform("DEIS_DATA_DIR", disk.path().join("data").display().to_string());
    let (user, app) = deployed(&platform);
    let deis = |arguments: &[&str]| user.deis_in(app.path(), arguments);
    deis(&["config:set", "COLOR=blue"]).succeeded().said("v3");
    platform.eventually("lines are logged", CONVERGES, |_| numbers(&user, &app).len() > 50);
    let load = platform.load("blog");
    disk.fill();
    std::thread::sleep(Duration::from_secs(3));
    deis(&["config:set", "COLOR=green"]).failed_with("503").said("disk is full");
    app.commit("second");
    let refused = app.push().failed_with("No space left on device");
    assert!(refused.stderr.lines().count() < 15, "{}", refused.stderr);
    platform.deisctl(&["status"]).failed_with("nearly full");
    deis(&["config:list"]).succeeded().said("blue");
    let before = numbers(&user, &app).last().copied();
    disk.free();
    platform
        .eventually("config can be set again", CONVERGES, |_| deis(&["config:set", "COLOR=red"]).code == 0);
    deis(&["config:list"]).succeeded().said("red");
    app.push().succeeded();
    platform.await_up();
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "{tally:?}");
    platform
        .eventually("lines are logged again", CONVERGES, |_| numbers(&user, &app).last().copied() != before);
    check_whole(&numbers(&user, &app));
}

/// Every container counts from 1: a line follows the one before it, or is a first one.
fn check_whole(numbers: &[u64]) {
    let mut containers = vec![0];
    for number in numbers {
        match containers.iter_mut().find(|last| **last + 1 == *number) {
            Some(last) => *last = *number,
            None if *number == 1 => containers.push(1),
            None => panic!("line {number} follows nothing: {containers:?}"),
        }
    }
}

/// The numbers of the app's lines in its log, in the log's order.
fn numbers(user: &User, app: &Repository) -> Vec<u64> {
    let logged = user.deis_in(app.path(), &["logs", "--lines=20000"]).stdout;
    let parse = |line: &str| line.split_once("line ")?.1.split_once('.')?.0.parse().ok();
    logged.lines().filter_map(parse).collect()
}
