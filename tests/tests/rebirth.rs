//! A name that one app had and another one gets: nothing of the first is left under it.

use deis_tests::{Platform, Site, has_engine};

#[test]
fn a_destroyed_app_can_be_made_and_pushed_again() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let user = platform.user("ann");
    let app = user.create_app("doc", "worker-python");
    app.push().succeeded().said("done, doc:v2 deployed to Deis");
    user.deis_in(app.path(), &["destroy", "--confirm=doc"]).succeeded();

    user.deis_in(app.path(), &["create", "doc"]).succeeded();
    app.push().succeeded().said("done, doc:v2 deployed to Deis");
    platform.answers("doc", "Powered by Deis");
}

#[test]
fn what_was_pushed_under_a_name_is_not_for_those_who_have_it_later() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let (ann, bob) = (platform.user("ann"), platform.user("bob"));
    let first = ann.create_app("doc", "worker-python");
    first.push().succeeded();
    let sha = first.git(&["rev-parse", "--short=8", "HEAD"]).succeeded().stdout;
    let image = format!("{}/doc:git-{}", platform.registry(), sha.trim());
    ann.deis_in(first.path(), &["destroy", "--confirm=doc"]).succeeded();

    let second = bob.create_app_of("doc", &[("notes.txt", "another app\n")]);
    second.git(&["fetch", "deis"]).succeeded();
    assert_eq!(second.git(&["ls-remote", "deis"]).succeeded().stdout, "", "nothing was pushed to it yet");
    bob.deis_in(second.path(), &["pull", &image]).failed_with("is not allowed");

    second.write("Procfile", "web: exec python3 -m http.server $PORT\n");
    second.write("requirements.txt", "");
    second.write("index.html", "the second of this name");
    second.commit("another history");
    second.push().succeeded().said("done, doc:v2 deployed to Deis");
    platform.answers("doc", "the second of this name");
}
