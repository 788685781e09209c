//! The examples, as whoever tries the platform pushes them.

use std::time::Duration;

use crate::Site;

/// How long what was destroyed may take to stop.
const SETTLES: Duration = Duration::from_secs(60);

/// Each kind of app is detected, built, reached and gone after it was destroyed.
pub fn every_example_is_pushed_answers_and_is_destroyed(site: &impl Site) {
    let user = site.user("dora");
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
        site.answers(&app, "Powered by Deis");
        user.deis_in(repository.path(), &["destroy", &format!("--confirm={app}")]).succeeded();
        let (status, body) = site.get(&site.name_of(&app), "/");
        assert!(status == 404 && body.contains("404 Not Found"), "{status}: {body}");
    }
    site.eventually("no container is left", SETTLES, |site| site.containers().is_empty());
}

/// All of an app's process types run.
pub fn an_app_of_several_process_types_runs_them_all(site: &impl Site) {
    let user = site.user("emil");
    let app = user.create_app("jobs", "worker-python");
    app.push().succeeded().said("Procfile declares types -> web, worker, clock");
    user.deis_in(app.path(), &["ps:scale", "worker=2", "clock=1"]).succeeded().said("worker.2 up (v2)");
    let names = site.containers();
    assert_eq!(names, ["jobs_v2.clock.1", "jobs_v2.web.1", "jobs_v2.worker.1", "jobs_v2.worker.2"]);
    user.deis_in(app.path(), &["destroy", "--confirm=jobs"]).succeeded();
}
