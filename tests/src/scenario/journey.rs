//! A developer's way through the platform, from registration to the end of an app.

use std::time::Duration;

use crate::Site;

/// How long what was replaced may take to stop.
const SETTLES: Duration = Duration::from_secs(60);
/// Retried, because what containers print reaches the log a moment later.
const LOG_TIMEOUT: Duration = Duration::from_secs(30);

/// Every command of a usual week, on one app.
pub fn ships_configures_scales_and_rolls_back(site: &impl Site) {
    let user = site.user("ann");
    let app = user.create_app("blog", "python-flask");
    let deis = |arguments: &[&str]| user.deis_in(app.path(), arguments);

    deis(&["config:set", "POWERED_BY=Ann"]).succeeded().said("POWERED_BY");
    app.push().succeeded().said("done, blog:v3 deployed to Deis");
    site.answers("blog", "Powered by Ann");

    deis(&["config:set", "POWERED_BY=讲台"]).succeeded().said("done, v4");
    site.answers("blog", "Powered by 讲台");
    deis(&["config:unset", "POWERED_BY"]).succeeded().said("Removing config...");
    site.answers("blog", "Powered by Deis");

    deis(&["ps:scale", "web=3"]).succeeded().said("web.3 up (v5)");
    site.eventually("three are left", SETTLES, |site| site.containers().len() == 3);
    deis(&["ps:scale", "web=1"]).succeeded().said("web.1 up (v5)");
    deis(&["ps:restart", "web"]).succeeded().said("web.1 up (v5)");
    site.answers("blog", "Powered by Deis");
    deis(&["ps:scale", "web=0"]).succeeded();
    assert_eq!(site.get(&site.name_of("blog"), "/").0, 503);
    deis(&["ps:scale", "web=1"]).succeeded();

    deis(&["rollback", "v3"]).succeeded().said("v6");
    site.answers("blog", "Powered by Ann");
    deis(&["releases:list"]).succeeded().said("ann rolled back to v3").said("ann created initial release");

    deis(&["run", "echo Hello, 世界; exit 3"]).failed_with("Hello, 世界");
    deis(&["run", "env"]).succeeded().said("DEIS_APP=blog").said("DEIS_RELEASE=v6").said("GIT_SHA=");
    let reads = |command: &str, input: &str| user.deis_reading(app.path(), &["run", "-i", command], input);
    reads("tr a-z A-Z; exit 3", "little\nletters\n").failed_with("LITTLE\nLETTERS\n");
    reads("wc -c", &"x".repeat(1 << 20)).succeeded().said("1048576");
    deis(&["logs"]).succeeded().said("created initial release");
    site.eventually("what the app prints is logged", LOG_TIMEOUT, |_| {
        user.deis_in(app.path(), &["logs"]).stdout.contains("blog[web.1]")
    });

    deis(&["domains:add", "blog.example.com"]).succeeded();
    assert_eq!(site.get("blog.example.com", "/").0, 200);
    deis(&["domains:remove", "blog.example.com"]).succeeded();
    assert_eq!(site.get("blog.example.com", "/").0, 404);

    deis(&["destroy", "--confirm=blog"]).succeeded();
    assert_eq!(site.get(&site.name_of("blog"), "/").0, 404);
    site.eventually("no container is left", SETTLES, |site| site.containers().is_empty());
}

/// Pushes that do not build, start or become ready, on a platform that gives them `ready_seconds` to do so.
pub fn a_broken_push_changes_nothing(site: &impl Site, ready_seconds: u32) {
    let user = site.user("bob");
    let app = user.create_app("broken", "worker-python");
    app.push().succeeded();
    let good = app.read("Procfile");

    app.write("requirements.txt", "no-such-package-at-all==99.99\n");
    app.commit("a package that does not exist");
    app.push().failed_with("no-such-package-at-all");
    site.answers("broken", "Powered by Deis");

    app.git(&["reset", "--quiet", "--hard", "HEAD~1"]).succeeded();
    app.write("Procfile", "web: echo going down; exit 7\n");
    app.commit("crashes at start");
    app.push().failed_with("web.1 keeps exiting with status 7").said("going down");
    site.answers("broken", "Powered by Deis");

    app.write("Procfile", "web: echo idle; exec sleep 1000\n");
    app.commit("opens no port");
    app.push().failed_with(&format!("web.1 did not become ready within {ready_seconds} s"));
    site.answers("broken", "Powered by Deis");
    user.deis_in(app.path(), &["releases:list", "--json"]).succeeded().said("\"failed\"");

    app.write("Procfile", "web: [\n");
    app.commit("not YAML");
    app.push().failed_with("the Procfile is not valid yaml");

    app.write("Procfile", &good);
    app.commit("well again");
    app.push().succeeded();
    site.answers("broken", "Powered by Deis");
    site.eventually("only the good release is left", SETTLES, |site| {
        site.containers() == ["broken_v5.web.1"]
    });
    user.deis_in(app.path(), &["destroy", "--confirm=broken"]).succeeded();
}

/// Wishes that are refused at once. At `no_registry` the engine finds a server, but no images.
pub fn what_cannot_be_built_is_refused_with_the_reason(site: &impl Site, no_registry: &str) {
    let user = site.user("cleo");
    let empty = user.create_app_of("empty", &[("notes.txt", "nothing to run\n")]);
    empty.push().failed_with("Procfile").said("Dockerfile");
    let image = user.create_app_of("image", &[("notes.txt", "an image\n")]);
    let missing = format!("{no_registry}/no-such-image:v1");
    user.deis_in(image.path(), &["pull", &missing]).failed_with("no-such-image");
    user.deis(&["ps:scale", "web=1", "--app=nowhere"]).failed_with("404 NOT FOUND").said("Not found");
    user.deis(&["create", "Not_A_Name"])
        .failed_with("400 BAD REQUEST")
        .said("App IDs can only contain [a-z0-9-]");
    user.deis(&["create", "empty"]).failed_with("This field must be unique.");
}
