//! Every role as a process of its own: each can end and start again while visitors notice nothing.

use std::time::Duration;

use deis_tests::{Options, Platform, Repository, Site, User, has_engine};

/// How long the platform may take to come to rest after a fault.
const CONVERGES: Duration = Duration::from_secs(60);

/// Says who it is, and counts on its output.
const COUNTING: &str = r#"
import http.server, itertools, os, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"Powered by {os.environ.get('POWERED_BY', 'Deis')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

def count():
    for number in itertools.count(1):
        print(f"line {number}.", flush=True)
        time.sleep(0.02)

threading.Thread(target=count, daemon=True).start()
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#;

fn apart() -> Platform {
    Platform::start_with(Options { roles_apart: true, ..Options::default() })
}

/// An app that serves; its user and its repository.
fn deployed(platform: &Platform) -> (User, Repository) {
    let user = platform.user("ann");
    let app = user.create_app_of("blog", &[("Procfile", "web: exec python3 web.py\n"), ("web.py", COUNTING)]);
    app.push().succeeded().said("blog:v2 deployed to Deis");
    platform.answers("blog", "Powered by Deis");
    (user, app)
}

#[test]
fn a_developer_ships_with_every_role_apart() {
    if !has_engine() {
        return;
    }
    let platform = apart();
    let (user, app) = deployed(&platform);
    let deis = |arguments: &[&str]| user.deis_in(app.path(), arguments).succeeded();
    deis(&["config:set", "POWERED_BY=Ann"]).said("v3");
    platform.answers("blog", "Powered by Ann");
    deis(&["ps:scale", "web=2"]).said("web.2 up (v3)");
    deis(&["rollback", "v2"]).said("v4");
    platform.answers("blog", "Powered by Deis");
    deis(&["run", "echo once"]).said("once");
    platform.eventually("what the app prints is logged", CONVERGES, |_| {
        user.deis_in(app.path(), &["logs"]).stdout.contains("line 1.")
    });
    deis(&["destroy", "--confirm=blog"]);
    assert_eq!(platform.get("blog.localhost", "/").0, 404);
}

#[test]
fn each_role_is_killed_under_load_and_no_request_fails() {
    if !has_engine() {
        return;
    }
    let mut platform = apart();
    let (user, app) = deployed(&platform);
    let load = platform.load("blog");
    for role in ["logger", "registry", "controller", "builder", "publisher", "logspout"] {
        platform.kill_role(role);
        std::thread::sleep(Duration::from_millis(500));
        platform.start_role(role);
        platform.await_up();
    }
    user.deis_in(app.path(), &["config:set", "POWERED_BY=Ann"]).succeeded();
    let tally = load.stop();
    assert!(tally.sent > 200, "{tally:?}");
    assert_eq!(tally.failed, 0, "{tally:?}");
    platform.answers("blog", "Powered by Ann");
    platform
        .eventually("the old one is gone", CONVERGES, |platform| platform.containers() == ["blog_v3.web.1"]);
}

#[test]
fn a_new_router_takes_over_and_no_request_fails() {
    if !has_engine() {
        return;
    }
    let mut platform = apart();
    let (user, app) = deployed(&platform);
    let load = platform.load("blog");
    for _ in 0..2 {
        platform.start_role("router");
        // Both listen now, or the old one would still be the only one.
        platform.eventually("the new router listens", CONVERGES, |platform| {
            platform
                .deisctl(&["status", "router", "--json"])
                .stdout
                .contains(&platform.newest_process().to_string())
        });
        platform.end_role("router");
        platform.await_up();
    }
    user.deis_in(app.path(), &["config:set", "POWERED_BY=Ann"]).succeeded();
    let tally = load.stop();
    assert!(tally.sent > 200, "{tally:?}");
    assert_eq!(tally.failed, 0, "{tally:?}");
    platform.answers("blog", "Powered by Ann");
}

#[test]
fn without_the_controller_visitors_are_served_and_developers_told() {
    if !has_engine() {
        return;
    }
    let mut platform = apart();
    let (user, app) = deployed(&platform);
    platform.kill_role("controller");
    platform.answers("blog", "Powered by Deis");
    let refused = user.deis_in(app.path(), &["ps:list"]).failed_with("503");
    assert!(refused.all().lines().count() < 8, "{}", refused.all());
    app.commit("second");
    app.push().failed_with("controller");
    platform.deisctl(&["status"]).failed_with("start it with `deisd run controller`");
    platform.start_role("controller");
    platform.await_up();
    user.deis_in(app.path(), &["ps:list"]).succeeded().said("web.1 up (v2)");
    app.push().succeeded();
}

#[test]
fn without_the_logger_no_line_is_lost() {
    if !has_engine() {
        return;
    }
    let mut platform = apart();
    let (user, app) = deployed(&platform);
    let last = |user: &User| numbers(user, &app).last().copied().unwrap_or(0);
    platform.eventually("lines are logged", CONVERGES, |_| last(&user) > 50);
    for signal in ["kill", "end"] {
        let before = last(&user);
        match signal {
            "kill" => platform.kill_role("logger"),
            _ => platform.end_role("logger"),
        }
        std::thread::sleep(Duration::from_secs(3));
        user.deis_in(app.path(), &["logs"]).failed_with("Error accessing logs for blog");
        platform.start_role("logger");
        platform.await_up();
        platform
            .eventually("what was printed meanwhile is logged", CONVERGES, |_| last(&user) > before + 150);
    }
    let found = numbers(&user, &app);
    let first = *found.first().unwrap();
    let expected: Vec<u64> = (first..first + found.len() as u64).collect();
    assert_eq!(found, expected, "lines are missing, doubled or out of order");
}

/// The numbers of the app's lines in its log, in the log's order.
fn numbers(user: &User, app: &Repository) -> Vec<u64> {
    let logged = user.deis_in(app.path(), &["logs", "--lines=5000"]).stdout;
    let parse = |line: &str| line.split_once("line ")?.1.split_once('.')?.0.parse().ok();
    logged.lines().filter_map(parse).collect()
}

#[test]
fn without_the_registry_a_push_is_refused_and_then_works() {
    if !has_engine() {
        return;
    }
    let mut platform = apart();
    let (_user, app) = deployed(&platform);
    platform.kill_role("registry");
    app.commit("second");
    app.push().failed_with("registry");
    platform.answers("blog", "Powered by Deis");
    platform.start_role("registry");
    platform.await_up();
    app.push().succeeded().said("deployed to Deis");
    platform.answers("blog", "Powered by Deis");
}

#[test]
fn a_second_platform_on_the_same_data_or_ports_is_refused() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    let pid = platform.newest_process().to_string();
    platform.run_another(&[], &[]).failed_with("runs already").said(&pid).said("--data-dir");
    platform.run_another(&["logger"], &[]).failed_with("the logger").said("runs already");
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = elsewhere.path().display().to_string();
    let other = [("DEIS_DATA_DIR", &*elsewhere)];
    platform.run_another(&["logger"], &other).failed_with("failed to listen on").said("ss -ltnp");
    platform.run_another(&["router"], &other).failed_with("failed to listen on").said("ss -ltnp");
    platform.await_up();
}
