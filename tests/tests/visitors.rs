//! What visitors do that takes long: sockets that stay open, large bodies, slow answers; and apps that are not well.

use std::io::Read;
use std::time::{Duration, Instant};

use deis_tests::{Options, Platform, Repository, Site, User, WebSocket, has_engine};

const MB: u64 = 1_000_000;
/// How large bodies are.
const LARGE: u64 = 100 * MB;
/// How much more memory the platform may take while they pass.
const MEMORY: u64 = 48 * MB;
/// How long a container that is replaced finishes what it has begun.
const DRAIN: Duration = Duration::from_secs(8);
/// How long the platform may take to come to rest.
const CONVERGES: Duration = Duration::from_secs(60);

/// Answers slowly and largely, echoes on web sockets, and is ill under one path.
const APP: &str = r#"
import base64, hashlib, http.server, os, time

NAME = os.environ.get("NAME", "first")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/socket":
            self.socket()
        elif self.path == "/large":
            self.large()
        else:
            if self.path == "/slow":
                time.sleep(5)
            self.answer(500 if self.path == "/ill" else 200, NAME)

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        taken = 0
        while left > taken:
            taken += len(self.rfile.read(min(65536, left - taken)))
        self.answer(200, f"took {taken}")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def large(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = b"x" * 100_000
        for _ in range(1000):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def socket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        while head := self.rfile.read(2):
            mask = self.rfile.read(4)
            payload = self.rfile.read(head[1] & 127)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
            reply = NAME.encode() + b" " + text
            self.wfile.write(bytes([0x81, len(reply)]) + reply)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// A platform, and an app on it that serves as `first`.
fn deployed() -> (Platform, User, Repository) {
    let settings = vec![
        ("DEIS_DRAIN_TIMEOUT_SECONDS", DRAIN.as_secs().to_string()),
        ("DEIS_READY_TIMEOUT_SECONDS", "15".to_owned()),
    ];
    let platform = Platform::start_with(Options { settings, ..Options::default() });
    let user = platform.user("ann");
    let app = user.create_app_of("blog", &[("Procfile", "web: exec python3 web.py\n"), ("web.py", APP)]);
    app.push().succeeded();
    platform.answers("blog", "first");
    (platform, user, app)
}

#[test]
fn a_web_socket_outlives_a_deploy_until_its_container_must_go() {
    if !has_engine() {
        return;
    }
    let (platform, user, app) = deployed();
    let mut old = WebSocket::open(platform.http, "blog.localhost", "/socket");
    assert_eq!(old.echo("one").unwrap(), "first one");
    user.deis_in(app.path(), &["config:set", "NAME=second"]).succeeded();
    let deployed = Instant::now();
    assert_eq!(old.echo("two").unwrap(), "first two");
    assert_eq!(
        WebSocket::open(platform.http, "blog.localhost", "/socket").echo("three").unwrap(),
        "second three"
    );
    while old.echo("on").is_ok() {
        assert!(deployed.elapsed() < DRAIN + Duration::from_secs(15), "the old container is never stopped");
        std::thread::sleep(Duration::from_millis(100));
    }
    // It is told to go in time to say goodbye: half of a short drain before its end.
    assert!(
        deployed.elapsed() + Duration::from_secs(2) > DRAIN / 2,
        "closed after only {:?}",
        deployed.elapsed()
    );
    platform
        .eventually("the old one is gone", CONVERGES, |platform| platform.containers() == ["blog_v3.web.1"]);
}

#[test]
fn a_slow_request_is_answered_by_the_release_that_took_it() {
    if !has_engine() {
        return;
    }
    let (platform, user, app) = deployed();
    let answer = std::thread::scope(|scope| {
        let slow = scope.spawn(|| platform.get("blog.localhost", "/slow"));
        std::thread::sleep(Duration::from_millis(500));
        user.deis_in(app.path(), &["config:set", "NAME=second"]).succeeded();
        platform.answers("blog", "second");
        slow.join().unwrap()
    });
    assert_eq!(answer, (200, "first".to_owned()));
    platform
        .eventually("the old one is gone", CONVERGES, |platform| platform.containers() == ["blog_v3.web.1"]);
}

#[test]
fn large_bodies_pass_without_being_held() {
    if !has_engine() {
        return;
    }
    let (platform, user, app) = deployed();
    user.deis_in(app.path(), &["routing:set", "bodySize=0"]).succeeded();
    let before = platform.peak_memory();
    let client =
        reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
    let url = |path: &str| format!("http://{}{path}", platform.http);
    let mut answer = client.get(url("/large")).header("Host", "blog.localhost").send().unwrap();
    assert_eq!(answer.copy_to(&mut std::io::sink()).unwrap(), LARGE);
    let body = reqwest::blocking::Body::sized(std::io::repeat(b'x').take(LARGE), LARGE);
    let answer = client.post(url("/")).header("Host", "blog.localhost").body(body).send().unwrap();
    assert_eq!(answer.text().unwrap(), format!("took {LARGE}"));
    let grown = platform.peak_memory().saturating_sub(before);
    assert!(grown < MEMORY, "the platform took {} MB more", grown / MB);
}

#[test]
fn a_release_whose_health_check_fails_never_serves() {
    if !has_engine() {
        return;
    }
    let (platform, user, app) = deployed();
    let load = platform.load("blog");
    let refused = user.deis_in(app.path(), &["config:set", "NAME=second", "HEALTHCHECK_URL=/ill"]);
    refused.failed_with("503").said("500").said("/ill");
    platform.answers("blog", "first");
    user.deis_in(app.path(), &["config:list"]).succeeded();
    user.deis_in(app.path(), &["config:set", "NAME=third", "HEALTHCHECK_URL=/well"]).succeeded();
    platform.answers("blog", "third");
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "{tally:?}");
}
