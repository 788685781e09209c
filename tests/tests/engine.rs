//! The container engine goes away and comes back: nothing is lost, nothing is touched, and everybody is told.

use std::process::Stdio;
use std::time::{Duration, Instant};

use deis_tests::{Options, Platform, PrivateEngine, Site, User, has_engine};

/// How long the platform may take to come to rest after a fault.
const CONVERGES: Duration = Duration::from_secs(60);
/// How long a call that needs the engine may take to be refused.
const REFUSES: Duration = Duration::from_secs(20);
/// How silence is told of.
const AWAY: &str = "does not answer";

/// An engine with an image of an app on it, and a platform that uses it.
fn platform() -> (PrivateEngine, Platform) {
    let engine = PrivateEngine::start();
    engine.import("example/web:one", "one");
    engine.import("example/web:two", "two");
    let settings = vec![("DEIS_SCHEDULER", engine.url()), ("DEIS_STACK_IMAGE", "example/web:one".to_owned())];
    let platform = Platform::start_with(Options { settings, ..Options::default() });
    (engine, platform)
}

/// A user with an app that serves.
fn deployed(platform: &Platform) -> User {
    let user = platform.user("ann");
    user.deis(&["create", "blog", "--no-remote"]).succeeded();
    user.deis(&["pull", "example/web:one", "--app=blog"]).succeeded();
    platform.answers("blog", "one");
    user
}

#[test]
fn containers_come_back_with_the_engine() {
    if !has_engine() {
        return;
    }
    let (mut engine, platform) = platform();
    let user = deployed(&platform);
    user.deis(&["ps:scale", "cmd=2", "--app=blog"]).succeeded();
    let before = ids(&engine);
    engine.stop();
    platform.eventually("the silence is told of with its cure", CONVERGES, |platform| {
        let status = platform.deisctl(&["status"]);
        status.code != 0 && status.all().contains(AWAY) && status.all().contains("cure: start it")
    });
    user.deis(&["ps:list", "--app=blog"]).succeeded().said("cmd.1 error (v2)");
    user.deis(&["releases:list", "--app=blog"]).succeeded().said("v2");
    refused_in_time(&user, &["ps:scale", "cmd=3", "--app=blog"]);
    refused_in_time(&user, &["run", "--app=blog", "true"]);
    refused_in_time(&user, &["ps:restart", "--app=blog"]);
    engine.run();
    platform.await_up();
    platform.eventually("visitors are served again", CONVERGES, |platform| {
        platform.get("blog.localhost", "/") == (200, "one".to_owned())
    });
    platform.eventually("two containers run", CONVERGES, |_| {
        user.deis(&["ps:list", "--app=blog"]).stdout.matches(" up (v2)").count() == 2
    });
    user.deis(&["run", "--app=blog", "echo back"]).succeeded().said("back");
    platform.eventually("nothing else is left", CONVERGES, |platform| {
        platform.containers() == ["blog_v2.cmd.1", "blog_v2.cmd.2"]
    });
    assert_eq!(ids(&engine), before, "what was refused is not made up for");
}

#[test]
fn a_reboot_of_the_engine_starts_and_removes_nothing_else() {
    if !has_engine() {
        return;
    }
    let (mut engine, platform) = platform();
    deployed(&platform);
    let before = ids(&engine);
    engine
        .docker(&[
            "run",
            "--detach",
            "--network=none",
            "--restart=always",
            "--name=somebody-elses",
            "example/web:one",
        ])
        .succeeded();
    engine.stop();
    engine.run();
    platform.eventually("visitors are served again", CONVERGES, |platform| {
        platform.get("blog.localhost", "/") == (200, "one".to_owned())
    });
    assert_eq!(ids(&engine), before);
    engine.docker(&["inspect", "--format={{.State.Running}}", "somebody-elses"]).succeeded().said("true");
}

#[test]
fn a_release_made_while_the_engine_is_away_is_deployed_when_it_is_back() {
    if !has_engine() {
        return;
    }
    let (mut engine, platform) = platform();
    let user = deployed(&platform);
    engine.stop();
    let refused = refused_in_time(&user, &["pull", "example/web:two", "--app=blog"]);
    assert!(refused.contains("v3 is deployed as soon as it does"), "{refused}");
    engine.run();
    platform.eventually("the release serves", CONVERGES, |platform| {
        platform.get("blog.localhost", "/") == (200, "two".to_owned())
    });
    platform
        .eventually("the old one is gone", CONVERGES, |platform| platform.containers() == ["blog_v3.cmd.1"]);
}

#[test]
fn a_platform_that_starts_without_the_engine_serves_and_converges_when_it_comes() {
    if !has_engine() {
        return;
    }
    let (mut engine, mut platform) = platform();
    let user = deployed(&platform);
    let table = platform.data().join("router/table.json");
    platform.eventually("the router has kept its table", CONVERGES, |_| {
        std::fs::read_to_string(&table).is_ok_and(|table| table.contains("blog_v2.cmd.1"))
    });
    platform.kill();
    // Killed, the engine leaves its containers running: visitors can be served, by whoever remembers where.
    engine.kill();
    platform.run_without_waiting();
    platform.eventually("the router serves its last table", CONVERGES, |platform| {
        platform.get("blog.localhost", "/") == (200, "one".to_owned())
    });
    platform.eventually("the silence is told of with its cure", CONVERGES, |platform| {
        let status = platform.deisctl(&["status"]).all();
        status.contains(AWAY) && status.contains("cure: start")
    });
    engine.run();
    platform.await_up();
    user.deis(&["pull", "example/web:two", "--app=blog"]).succeeded();
    platform.answers("blog", "two");
}

#[test]
fn a_deploy_survives_kill_9_of_the_engine() {
    if !has_engine() {
        return;
    }
    let (mut engine, platform) = platform();
    let user = deployed(&platform);
    let mut set =
        user.deis_command(platform.data().parent().unwrap(), &["config:set", "COLOR=blue", "--app=blog"]);
    let mut set = set.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    platform.eventually("the new release has started", CONVERGES, |platform| {
        platform.containers().iter().any(|name| name.starts_with("blog_v3"))
    });
    engine.kill();
    std::thread::sleep(Duration::from_secs(1));
    engine.run();
    let _ = set.wait();
    platform.eventually("only one release is left", CONVERGES, |platform| {
        matches!(&platform.containers()[..], [only] if only == "blog_v3.cmd.1" || only == "blog_v2.cmd.1")
    });
    platform.eventually("it serves", CONVERGES, |platform| platform.get("blog.localhost", "/").0 == 200);
}

fn refused_in_time(user: &User, arguments: &[&str]) -> String {
    let asked = Instant::now();
    let refused = user.deis(arguments).failed_with("503").said(AWAY);
    assert!(asked.elapsed() < REFUSES, "{arguments:?} took {:?}", asked.elapsed());
    refused.all()
}

/// Ids of the platform's containers on the engine, sorted.
fn ids(engine: &PrivateEngine) -> Vec<String> {
    let listed = engine
        .docker(&["ps", "--all", "--no-trunc", "--quiet", "--filter=label=io.deis.platform"])
        .succeeded();
    let mut ids: Vec<String> = listed.stdout.lines().map(str::to_owned).collect();
    ids.sort();
    ids
}
