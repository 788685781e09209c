//! A developer's way through the platform, from registration to the end of an app.

use std::time::Duration;

use deis_tests::{Platform, has_engine};

/// How long what was replaced may take to stop.
const SETTLES: Duration = Duration::from_secs(30);
/// Retried, because what containers print reaches the log a moment later.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn a_developer_ships_configures_scales_and_rolls_back() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("blog", "python-flask");
    let deis = |arguments: &[&str]| user.deis_in(app.path(), arguments);

    deis(&["config:set", "POWERED_BY=Ann"]).succeeded().said("POWERED_BY");
    app.push().succeeded().said("done, blog:v3 deployed to Deis");
    platform.answers("blog", "Powered by Ann");

    deis(&["config:set", "POWERED_BY=讲台"]).succeeded().said("done, v4");
    platform.answers("blog", "Powered by 讲台");
    deis(&["config:unset", "POWERED_BY"]).succeeded().said("Removing config...");
    platform.answers("blog", "Powered by Deis");

    deis(&["ps:scale", "web=3"]).succeeded().said("web.3 up (v5)");
    platform.eventually("three are left", SETTLES, |platform| platform.containers().len() == 3);
    deis(&["ps:scale", "web=1"]).succeeded().said("web.1 up (v5)");
    deis(&["ps:restart", "web"]).succeeded().said("web.1 up (v5)");
    platform.answers("blog", "Powered by Deis");
    deis(&["ps:scale", "web=0"]).succeeded();
    assert_eq!(platform.get("blog.localhost", "/").0, 503);
    deis(&["ps:scale", "web=1"]).succeeded();

    deis(&["rollback", "v3"]).succeeded().said("v6");
    platform.answers("blog", "Powered by Ann");
    deis(&["releases:list"]).succeeded().said("ann rolled back to v3").said("ann created initial release");

    deis(&["run", "echo Hello, 世界; exit 3"]).failed_with("Hello, 世界");
    deis(&["run", "env"]).succeeded().said("DEIS_APP=blog").said("DEIS_RELEASE=v6").said("GIT_SHA=");
    deis(&["logs"]).succeeded().said("created initial release");
    platform.eventually("what the app prints is logged", LOG_TIMEOUT, |_| {
        user.deis_in(app.path(), &["logs"]).stdout.contains("blog[web.1]")
    });

    deis(&["domains:add", "blog.example.com"]).succeeded();
    assert_eq!(platform.get("blog.example.com", "/").0, 200);
    deis(&["domains:remove", "blog.example.com"]).succeeded();
    assert_eq!(platform.get("blog.example.com", "/").0, 404);

    deis(&["destroy", "--confirm=blog"]).succeeded();
    assert_eq!(platform.get("blog.localhost", "/").0, 404);
    platform.eventually("no container is left", SETTLES, |platform| platform.containers().is_empty());
}

#[test]
fn a_broken_push_changes_nothing() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start_with(deis_tests::Options {
        settings: vec![("DEIS_READY_TIMEOUT_SECONDS", "15".to_owned())],
        ..Default::default()
    });
    let user = platform.user("ann");
    let app = user.create_app("blog", "worker-python");
    app.push().succeeded();
    let good = app.read("Procfile");

    app.write("requirements.txt", "no-such-package-at-all==99.99\n");
    app.commit("a package that does not exist");
    app.push().failed_with("no-such-package-at-all");
    platform.answers("blog", "Powered by Deis");

    app.git(&["reset", "--quiet", "--hard", "HEAD~1"]).succeeded();
    app.write("Procfile", "web: echo going down; exit 7\n");
    app.commit("crashes at start");
    app.push().failed_with("web.1 keeps exiting with status 7").said("going down");
    platform.answers("blog", "Powered by Deis");

    app.write("Procfile", "web: echo idle; exec sleep 1000\n");
    app.commit("opens no port");
    app.push().failed_with("web.1 did not become ready within 15 s");
    platform.answers("blog", "Powered by Deis");
    user.deis_in(app.path(), &["releases:list", "--json"]).succeeded().said("\"failed\"");

    app.write("Procfile", "web: [\n");
    app.commit("not YAML");
    app.push().failed_with("the Procfile is not valid yaml");

    app.write("Procfile", &good);
    app.commit("well again");
    app.push().succeeded();
    platform.answers("blog", "Powered by Deis");
    platform.eventually("only the good release is left", SETTLES, |platform| {
        platform.containers() == ["blog_v5.web.1"]
    });
}

#[test]
fn what_cannot_be_built_is_refused_with_the_reason() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let user = platform.user("ann");
    let empty = user.create_app_of("empty", &[("notes.txt", "nothing to run\n")]);
    empty.push().failed_with("Procfile").said("Dockerfile");
    let image = user.create_app_of("image", &[("notes.txt", "an image\n")]);
    let missing = format!("{}/no-such-image:v1", platform.controller);
    user.deis_in(image.path(), &["pull", &missing]).failed_with("no-such-image");
    user.deis(&["ps:scale", "web=1", "--app=nowhere"]).failed_with("404 NOT FOUND").said("Not found");
    user.deis(&["create", "Not_A_Name"])
        .failed_with("400 BAD REQUEST")
        .said("App IDs can only contain [a-z0-9-]");
    user.deis(&["create", "empty"]).failed_with("This field must be unique.");
}
