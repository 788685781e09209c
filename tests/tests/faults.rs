//! `kill -9` in the middle of things: everything converges, nothing is lost, nothing is left behind.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use deis_tests::{Options, Platform, Site, has_engine};

/// How long the platform may take to come to rest after a fault.
const CONVERGES: Duration = Duration::from_secs(60);

#[test]
fn a_killed_build_leaves_nothing_and_can_be_pushed_again() {
    if !has_engine() {
        return;
    }
    let mut platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("blog", "worker-python");
    let mut push = app.push_command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    platform.eventually("the build has begun", CONVERGES, |platform| !platform.builds().is_empty());
    platform.kill();
    assert!(!push.wait().unwrap().success());
    platform.run();
    platform.eventually("the build's container is gone", CONVERGES, |platform| platform.builds().is_empty());
    app.push().succeeded().said("deployed to Deis");
    platform.answers("blog", "Powered by Deis");
}

#[test]
fn a_killed_deploy_is_finished_after_the_restart() {
    if !has_engine() {
        return;
    }
    let mut platform = Platform::start_with(Options { router_apart: true, ..Options::default() });
    let user = platform.user("ann");
    let app = user.create_app("blog", "worker-python");
    app.push().succeeded();
    let load = platform.load("blog");
    let mut set = user.deis_command(app.path(), &["config:set", "POWERED_BY=Ann"]);
    let mut set = set.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    platform.eventually("the new release has started", CONVERGES, |platform| {
        platform.containers().iter().any(|name| name == "blog_v3.web.1")
    });
    platform.kill();
    let _ = set.wait();
    platform.run();
    platform.eventually("the release serves", CONVERGES, |platform| {
        platform.get("blog.localhost", "/").1.contains("Powered by Ann")
    });
    platform
        .eventually("the old one is gone", CONVERGES, |platform| platform.containers() == ["blog_v3.web.1"]);
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "{tally:?}");
    user.deis_in(app.path(), &["config:list"]).succeeded().said("POWERED_BY      Ann");
}

#[test]
fn a_killed_scale_is_finished_and_visitors_are_served_from_disk() {
    if !has_engine() {
        return;
    }
    let mut platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("blog", "worker-python");
    app.push().succeeded();
    let mut scale = user.deis_command(app.path(), &["ps:scale", "web=4"]);
    let mut scale = scale.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    platform.eventually("the scale has begun", CONVERGES, |platform| platform.containers().len() > 1);
    platform.kill();
    let _ = scale.wait();
    platform.run();
    platform.answers("blog", "Powered by Deis");
    platform.eventually("all four run", CONVERGES, |platform| platform.containers().len() == 4);
    platform.eventually("all four are listed", CONVERGES, |_| {
        user.deis_in(app.path(), &["ps:list"]).stdout.contains("web.4 up (v2)")
    });
}

#[test]
fn no_acknowledged_write_is_missing_after_a_kill() {
    if !has_engine() {
        return;
    }
    let mut platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app_of("blog", &[("notes.txt", "nothing to run\n")]);
    let (user, directory) = (Arc::new(user), app.path().to_owned());
    let writer = std::thread::spawn({
        let user = Arc::clone(&user);
        move || {
            let set = |number: &usize| {
                user.deis_in(&directory, &["config:set", &format!("KEY_{number}=set")]).code == 0
            };
            (0..200).take_while(set).count()
        }
    });
    platform.eventually("some writes were acknowledged", CONVERGES, |_| {
        user.deis_in(app.path(), &["config:list"]).stdout.contains("KEY_20")
    });
    platform.kill();
    let acknowledged = writer.join().unwrap();
    platform.run();
    let config = user.deis_in(app.path(), &["config:list"]).succeeded().stdout;
    for number in 0..acknowledged {
        assert!(
            config.contains(&format!("KEY_{number} ")),
            "KEY_{number} of {acknowledged} is missing:\n{config}"
        );
    }
}

#[test]
fn an_idle_platform_that_is_killed_touches_no_container() {
    if !has_engine() {
        return;
    }
    let mut platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("blog", "worker-python");
    app.push().succeeded();
    let started = started_at(&platform.engine_name("blog_v2.web.1"));
    platform.kill();
    platform.run();
    platform.answers("blog", "Powered by Deis");
    assert_eq!(started_at(&platform.engine_name("blog_v2.web.1")), started);
    assert_eq!(platform.containers(), ["blog_v2.web.1"]);
}

fn started_at(container: &str) -> String {
    let mut inspect = std::process::Command::new("docker");
    inspect.args(["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", container]);
    let output = inspect.output().expect("the engine's client runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
