//! Visitors notice nothing: a steady load through deploys, scales, restarts and rollbacks.

use deis_tests::{Platform, Site, has_engine};

#[test]
fn no_request_fails_while_an_app_changes() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("blog", "python-flask");
    app.push().succeeded();
    let deis = |arguments: &[&str]| user.deis_in(app.path(), arguments).succeeded();
    let load = platform.load("blog");
    app.commit("second");
    app.push().succeeded();
    deis(&["config:set", "POWERED_BY=one"]);
    deis(&["ps:scale", "web=4"]);
    deis(&["config:set", "POWERED_BY=two"]);
    deis(&["ps:scale", "web=1"]);
    deis(&["rollback"]);
    deis(&["ps:scale", "web=2"]);
    deis(&["ps:restart"]);
    app.commit("third");
    app.push().succeeded();
    deis(&["limits:set", "web=256M"]);
    let tally = load.stop();
    assert!(tally.sent > 200, "{tally:?}");
    assert_eq!(tally.failed, 0, "{tally:?}");
}

#[test]
fn a_failing_release_costs_no_request() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("blog", "python-flask");
    app.push().succeeded();
    let load = platform.load("blog");
    app.write("Procfile", "web: exit 1\n");
    app.commit("crashes");
    app.push().failed_with("keeps exiting with status 1");
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "{tally:?}");
}
