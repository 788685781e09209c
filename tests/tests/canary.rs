//! A new release on a part of the requests: tried out, promoted, ended, and gone by itself when it is ill; under load.

use std::collections::BTreeMap;
use std::time::Duration;

use deis_tests::{Load, Options, Platform, Repository, Site, User, has_engine};

/// How long the platform may take to come to rest.
const CONVERGES: Duration = Duration::from_secs(60);
/// How many visitors come, one after another, to see which release they meet.
const VISITORS: usize = 200;

/// Says its name. Asked for one path, `second` falls ill for good; another path tells whether it is well.
const APP: &str = r#"
import http.server, os

NAME = os.environ.get("NAME", "first")
well = True

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global well
        if self.path == "/fall-ill" and NAME == "second":
            well = False
        self.send_response(200 if self.path != "/health" or (well and NAME != "sick") else 500)
        self.send_header("Content-Length", str(len(NAME)))
        self.end_headers()
        self.wfile.write(NAME.encode())

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// A platform, and an app on it that serves as `first` with two containers under load; its new releases get a half.
fn trying() -> (Platform, User, Repository, Load) {
    let settings = vec![("DEIS_READY_TIMEOUT_SECONDS", "15".to_owned())];
    let platform = Platform::start_with(Options { settings, ..Options::default() });
    let user = platform.user("ann");
    let app = user.create_app_of("blog", &[("Procfile", "web: exec python3 web.py\n"), ("web.py", APP)]);
    app.push().succeeded();
    user.deis_in(app.path(), &["scale", "web=2"]).succeeded();
    platform.answers("blog", "first");
    user.deis_in(app.path(), &["canary:on", "50"]).succeeded();
    let load = platform.load("blog");
    (platform, user, app, load)
}

/// How many visitors meet each release.
fn met(platform: &Platform) -> BTreeMap<String, usize> {
    let mut met = BTreeMap::new();
    for _ in 0..VISITORS {
        let (status, name) = platform.get("blog.localhost", "/");
        assert_eq!(status, 200, "{name}");
        *met.entry(name).or_default() += 1;
    }
    met
}

/// Asserts that visitors meet `first` and `name`, each many times.
fn check_both(platform: &Platform, name: &str) {
    let met = met(platform);
    assert_eq!(met.len(), 2, "{met:?}");
    // Of 200 tosses of a coin, fewer than 40 heads are less likely than once in 10^17.
    assert!(met["first"] >= 40 && met[name] >= 40, "{met:?}");
}

fn check_load(load: Load) {
    let tally = load.stop();
    assert!(tally.sent > 0 && tally.failed == 0, "{tally:?}");
}

#[test]
fn a_release_is_tried_out_and_promoted() {
    if !has_engine() {
        return;
    }
    let (platform, user, app, load) = trying();
    user.deis_in(app.path(), &["config:set", "NAME=second"]).succeeded();
    check_both(&platform, "second");
    user.deis_in(app.path(), &["canary:info"]).succeeded().said("50 %").said("v3 ann added NAME");
    user.deis_in(app.path(), &["releases"]).succeeded().said("(canary)");
    platform.eventually("both are listed", CONVERGES, |_| {
        let listed = user.deis_in(app.path(), &["ps"]).succeeded().stdout;
        ["web.1 up (v2)", "web.2 up (v2)", "web.1 up (v3)"].iter().all(|line| listed.contains(line))
    });
    assert_eq!(platform.containers(), ["blog_v2.web.1", "blog_v2.web.2", "blog_v3.web.1"]);
    user.deis_in(app.path(), &["canary:promote"]).succeeded().said("done, v3");
    assert_eq!(met(&platform).into_keys().collect::<Vec<_>>(), ["second"]);
    platform.eventually("only the promoted one is left", CONVERGES, |platform| {
        platform.containers() == ["blog_v3.web.1", "blog_v3.web.2"]
    });
    user.deis_in(app.path(), &["canary:promote"]).failed_with("No release of this app is tried out");
    check_load(load);
}

#[test]
fn a_release_that_is_tried_out_is_ended_and_forgotten() {
    if !has_engine() {
        return;
    }
    let (platform, user, app, load) = trying();
    app.write("web.py", &APP.replace("\"first\"", "\"second\""));
    app.commit("second");
    app.push().succeeded().said("is tried out on 50 % of the requests");
    check_both(&platform, "second");
    user.deis_in(app.path(), &["canary:end"]).succeeded();
    assert_eq!(met(&platform).into_keys().collect::<Vec<_>>(), ["first"]);
    platform.eventually("only the first is left", CONVERGES, |platform| {
        platform.containers() == ["blog_v2.web.1", "blog_v2.web.2"]
    });
    user.deis_in(app.path(), &["canary:off"]).succeeded();
    user.deis_in(app.path(), &["config:set", "NAME=third"]).succeeded();
    assert_eq!(met(&platform).into_keys().collect::<Vec<_>>(), ["third"]);
    check_load(load);
}

#[test]
fn a_release_that_falls_ill_while_it_is_tried_out_goes_by_itself() {
    if !has_engine() {
        return;
    }
    let (platform, user, app, load) = trying();
    user.deis_in(app.path(), &["config:set", "NAME=sick", "HEALTHCHECK_URL=/health"]).failed_with("/health");
    user.deis_in(app.path(), &["config:set", "NAME=second", "HEALTHCHECK_URL=/health"]).succeeded();
    check_both(&platform, "second");
    platform.eventually("it falls ill", CONVERGES, |platform| {
        platform.get("blog.localhost", "/fall-ill").1 == "second"
    });
    platform.eventually("only the first is left", 2 * CONVERGES, |platform| {
        platform.containers() == ["blog_v2.web.1", "blog_v2.web.2"]
    });
    platform.eventually("its end is in the log", CONVERGES, |_| {
        user.deis_in(app.path(), &["logs"]).succeeded().stdout.contains("v4 failed")
    });
    assert_eq!(met(&platform).into_keys().collect::<Vec<_>>(), ["first"]);
    check_load(load);
}

#[test]
fn a_canary_outlives_the_platform_and_goes_with_a_rollback() {
    if !has_engine() {
        return;
    }
    let (mut platform, user, app, load) = trying();
    drop(load);
    user.deis_in(app.path(), &["config:set", "NAME=second"]).succeeded();
    platform.kill();
    platform.run();
    for name in ["first", "second"] {
        platform.eventually("both serve again", CONVERGES, |platform| {
            platform.get("blog.localhost", "/").1 == name
        });
    }
    let load = platform.load("blog");
    user.deis_in(app.path(), &["scale", "web=4"]).succeeded();
    platform.eventually("the canary grows along", CONVERGES, |platform| {
        platform.containers().iter().filter(|name| name.starts_with("blog_v3.")).count() == 2
    });
    user.deis_in(app.path(), &["ps:restart"]).succeeded();
    check_both(&platform, "second");
    user.deis_in(app.path(), &["rollback"]).succeeded().said("done, v4");
    assert_eq!(met(&platform).into_keys().collect::<Vec<_>>(), ["first"]);
    platform.eventually("only the last is left", CONVERGES, |platform| {
        platform.containers().iter().all(|name| name.starts_with("blog_v4."))
            && platform.containers().len() == 4
    });
    check_load(load);
}
