//! A user at a shell, and a controller that answers from a list and notes what it was asked.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tempfile::TempDir;

pub(crate) const APP: &str = r#"{"uuid":"u-1","id":"blog","owner":"ann","url":"blog.example.com","structure":{},"created":"2016-05-04T09:30:00UTC","updated":"2016-05-04T09:31:00UTC"}"#;
pub(crate) const CONFIG: &str = r#"{"uuid":"u-2","app":"blog","owner":"ann","values":{"A":"1","LONGER":"two words"},"memory":{"web":"512M"},"cpu":{},"tags":{"rack":"1"},"created":"c","updated":"u"}"#;
pub(crate) const CONFIG_MADE: &str = r#"{"uuid":"u-2","app":"blog","owner":"ann","values":{"A":"1","DEIS_APP":"blog","DEIS_RELEASE":"v4"},"memory":{},"cpu":{"web":512},"tags":{},"created":"c","updated":"u"}"#;
pub(crate) const CONTAINERS: &str = r#"{"count":3,"next":null,"previous":null,"results":[
 {"uuid":"x","app":"blog","owner":"ann","release":"v2","type":"worker","num":1,"state":"up","created":"c","updated":"u"},
 {"uuid":"x","app":"blog","owner":"ann","release":"v2","type":"web","num":2,"state":"down","created":"c","updated":"u"},
 {"uuid":"x","app":"blog","owner":"ann","release":"v2","type":"web","num":1,"state":"up","created":"c","updated":"u"}]}"#;
pub(crate) const PROCESSES: &str =
    "=== blog Processes\n--- web:\nweb.1 up (v2)\nweb.2 down (v2)\n--- worker:\nworker.1 up (v2)\n";
pub(crate) const SPIN: &str = "...\u{8}\u{8}\u{8}";

/// One answer: the start of the request line it is for, the status, the body.
type Answer = (&'static str, u16, String);

#[derive(Clone)]
pub(crate) struct Fake {
    answers: Arc<Vec<Answer>>,
    asked: Arc<Mutex<Vec<String>>>,
    pub(crate) headers: Arc<Mutex<Vec<HeaderMap>>>,
    version: &'static str,
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("requests are small");
    let line = format!("{} {}", parts.method, parts.uri);
    let asked = format!("{line} {}", String::from_utf8_lossy(&body));
    fake.asked.lock().expect("no test panics while it asks").push(asked.trim_end().to_owned());
    fake.headers.lock().expect("no test panics while it asks").push(parts.headers);
    let found = fake.answers.iter().find(|(start, ..)| line == *start);
    let (status, text) =
        found.map_or((404, r#"{"detail":"Not found"}"#), |(_, status, text)| (*status, text));
    let status = StatusCode::from_u16(status).expect("statuses in tests are valid");
    (status, [("DEIS_API_VERSION", fake.version)], Body::from(text.to_owned())).into_response()
}

/// A user with a home directory, logged in at a fake controller.
pub(crate) struct User {
    pub(crate) home: TempDir,
    pub(crate) fake: Fake,
    address: SocketAddr,
}

impl User {
    pub(crate) fn logged_in(answers: &[(&'static str, u16, &str)]) -> Self {
        let user = Self::new(answers, "1.7");
        user.log_in();
        user
    }

    pub(crate) fn new(answers: &[(&'static str, u16, &str)], version: &'static str) -> Self {
        let answers =
            answers.iter().map(|(line, status, text)| (*line, *status, (*text).to_owned())).collect();
        let (asked, headers) = (Arc::default(), Arc::default());
        let fake = Fake { answers: Arc::new(answers), asked, headers, version };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let router = Router::new().fallback(answer).with_state(fake.clone());
        std::thread::spawn(move || serve(listener, router));
        Self { home: tempfile::tempdir().expect("a scratch directory"), fake, address }
    }

    pub(crate) fn controller(&self) -> String {
        format!("http://deis.localhost:{}", self.address.port())
    }

    pub(crate) fn log_in(&self) {
        let state = format!(
            r#"{{"username":"ann","ssl_verify":true,"controller":"{}","token":"secret","response_limit":100}}"#,
            self.controller()
        );
        std::fs::create_dir_all(self.home.path().join(".deis")).expect("the home is writable");
        std::fs::write(self.state(), state).expect("the home is writable");
    }

    pub(crate) fn state(&self) -> std::path::PathBuf {
        self.home.path().join(".deis/client.json")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deis"));
        command.args(arguments).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for name in ["DEIS_PROFILE", "DEIS_DRINK_OF_CHOICE", "DEIS_SSH_PORT", "NO_COLOR", "http_proxy"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the client starts")
    }

    /// Runs what has to succeed, and gives what it printed.
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.fake.asked.lock().expect("the fake does not panic").clone()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(self.home.path()).output();
        stdout(&output.expect("git is installed"))
    }
}

fn serve(listener: std::net::TcpListener, router: Router) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    listener.set_nonblocking(true).expect("a socket may be non-blocking");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
        axum::serve(listener, router).await.expect("serving in tests does not end");
    });
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn page(results: &str) -> String {
    format!(r#"{{"count":2,"next":null,"previous":null,"results":[{results}]}}"#)
}

/// One command: what the controller answers, what is printed, what was asked.
pub(crate) fn check(
    arguments: &[&str],
    answers: &[(&'static str, u16, &str)],
    printed: &str,
    asked: &[&str],
) {
    let user = User::logged_in(answers);
    assert_eq!(user.prints(arguments), printed, "{arguments:?}");
    assert_eq!(user.asked(), asked, "{arguments:?}");
}

pub(crate) fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(directory.join(name), text).expect("the home is writable");
    }
}
