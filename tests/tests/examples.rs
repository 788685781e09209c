//! Every example is pushed and answers.

use std::time::Duration;

use deis_tests::{Platform, has_engine};

#[test]
fn every_example_is_pushed_answers_and_is_destroyed() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let user = platform.user("ann");
    for (example, kind) in [
        ("python-flask", "Python app detected"),
        ("node-express", "Node.js app detected"),
        ("dockerfile-http", "Building Docker image"),
        ("static-site", "Static app detected"),
        ("worker-python", "Python app detected"),
    ] {
        let app = example.replace('_', "-");
        let repository = user.create_app(&app, example);
        repository.push().succeeded().said(kind).said(&format!("done, {app}:v2 deployed to Deis"));
        platform.answers(&app, "Powered by Deis");
        user.deis_in(repository.path(), &["destroy", &format!("--confirm={app}")]).succeeded();
        let (status, body) = platform.get(&format!("{app}.localhost"), "/");
        assert!(status == 404 && body.contains("404 Not Found"), "{status}: {body}");
    }
    platform.eventually("no container is left", Duration::from_secs(30), |platform| {
        platform.containers().is_empty()
    });
}

#[test]
fn an_app_of_several_process_types_runs_them_all() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("jobs", "worker-python");
    app.push().succeeded().said("Procfile declares types -> web, worker, clock");
    user.deis_in(app.path(), &["ps:scale", "worker=2", "clock=1"]).succeeded().said("worker.2 up (v2)");
    let names = platform.containers();
    assert_eq!(names, ["jobs_v2.clock.1", "jobs_v2.web.1", "jobs_v2.worker.1", "jobs_v2.worker.2"]);
}
