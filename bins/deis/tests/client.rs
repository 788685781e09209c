//! The client as users run it, against a controller that answers from a list and notes what it was asked.

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

const APP: &str = r#"{"uuid":"u-1","id":"blog","owner":"ann","url":"blog.example.com","structure":{},"created":"2016-05-04T09:30:00UTC","updated":"2016-05-04T09:31:00UTC"}"#;
const CONFIG: &str = r#"{"uuid":"u-2","app":"blog","owner":"ann","values":{"A":"1","LONGER":"two words"},"memory":{"web":"512M"},"cpu":{},"tags":{"rack":"1"},"created":"c","updated":"u"}"#;
const CONFIG_MADE: &str = r#"{"uuid":"u-2","app":"blog","owner":"ann","values":{"A":"1","DEIS_APP":"blog","DEIS_RELEASE":"v4"},"memory":{},"cpu":{"web":512},"tags":{},"created":"c","updated":"u"}"#;
const CONTAINERS: &str = r#"{"count":3,"next":null,"previous":null,"results":[
 {"uuid":"x","app":"blog","owner":"ann","release":"v2","type":"worker","num":1,"state":"up","created":"c","updated":"u"},
 {"uuid":"x","app":"blog","owner":"ann","release":"v2","type":"web","num":2,"state":"down","created":"c","updated":"u"},
 {"uuid":"x","app":"blog","owner":"ann","release":"v2","type":"web","num":1,"state":"up","created":"c","updated":"u"}]}"#;
const PROCESSES: &str =
    "=== blog Processes\n--- web:\nweb.1 up (v2)\nweb.2 down (v2)\n--- worker:\nworker.1 up (v2)\n";
const SPIN: &str = "...\u{8}\u{8}\u{8}";

/// One answer: the start of the request line it is for, the status, the body.
type Answer = (&'static str, u16, String);

#[derive(Clone)]
struct Fake {
    answers: Arc<Vec<Answer>>,
    asked: Arc<Mutex<Vec<String>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
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
struct User {
    home: TempDir,
    fake: Fake,
    address: SocketAddr,
}

impl User {
    fn logged_in(answers: &[(&'static str, u16, &str)]) -> Self {
        let user = Self::new(answers, "1.7");
        user.log_in();
        user
    }

    fn new(answers: &[(&'static str, u16, &str)], version: &'static str) -> Self {
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

    fn controller(&self) -> String {
        format!("http://deis.localhost:{}", self.address.port())
    }

    fn log_in(&self) {
        let state = format!(
            r#"{{"username":"ann","ssl_verify":true,"controller":"{}","token":"secret","response_limit":100}}"#,
            self.controller()
        );
        std::fs::create_dir_all(self.home.path().join(".deis")).expect("the home is writable");
        std::fs::write(self.state(), state).expect("the home is writable");
    }

    fn state(&self) -> std::path::PathBuf {
        self.home.path().join(".deis/client.json")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deis"));
        command.args(arguments).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for name in ["DEIS_PROFILE", "DEIS_DRINK_OF_CHOICE", "DEIS_SSH_PORT", "NO_COLOR", "http_proxy"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the client starts")
    }

    /// Runs what has to succeed, and gives what it printed.
    fn prints(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    }

    fn asked(&self) -> Vec<String> {
        self.fake.asked.lock().expect("the fake does not panic").clone()
    }

    fn git(&self, arguments: &[&str]) -> String {
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

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn page(results: &str) -> String {
    format!(r#"{{"count":2,"next":null,"previous":null,"results":[{results}]}}"#)
}

/// One command: what the controller answers, what is printed, what was asked.
fn check(arguments: &[&str], answers: &[(&'static str, u16, &str)], printed: &str, asked: &[&str]) {
    let user = User::logged_in(answers);
    assert_eq!(user.prints(arguments), printed, "{arguments:?}");
    assert_eq!(user.asked(), asked, "{arguments:?}");
}

#[test]
fn a_new_user_registers_and_is_logged_in() {
    let answers = [
        ("GET /v1/", 401, ""),
        ("POST /v1/auth/register/", 201, "{}"),
        ("POST /v1/auth/login/", 200, r#"{"token":"0123"}"#),
    ];
    let user = User::new(&answers, "1.7");
    let controller = user.controller();
    let words = ["register", &controller, "--username=ann", "--password=p", "--email=a@b.c"];
    assert_eq!(user.prints(&words), "Registered ann\nLogged in as ann\n");
    let expected = [
        "GET /v1/",
        r#"POST /v1/auth/register/ {"email":"a@b.c","password":"p","username":"ann"}"#,
        r#"POST /v1/auth/login/ {"password":"p","username":"ann"}"#,
    ];
    assert_eq!(user.asked(), expected);
    let state = std::fs::read_to_string(user.state()).unwrap();
    assert!(state.contains(r#""token":"0123""#) && state.contains(r#""ssl_verify":true"#), "{state}");
    assert_eq!(user.prints(&["whoami"]), format!("You are ann at {controller}\n"));
    assert_eq!(user.prints(&["logout"]), "Logged out\n");
    assert_eq!(user.prints(&["logout"]), "Logged out\n");
    let output = user.run(&["apps:list"]);
    assert!(stderr(&output).starts_with("Error: Not logged in. Use 'deis login' or 'deis register'"));
}

#[test]
fn answers_may_be_typed() {
    use std::io::Write;
    let answers = [("GET /v1/", 401, ""), ("POST /v1/auth/login/", 200, r#"{"token":"0123"}"#)];
    let user = User::new(&answers, "1.7");
    let mut command = user.command(&["login", &user.controller(), "--ssl-verify=false"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ann\npass word\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output), "username: password: Logged in as ann\n");
    assert_eq!(user.asked()[1], r#"POST /v1/auth/login/ {"password":"pass word","username":"ann"}"#);
    assert!(std::fs::read_to_string(user.state()).unwrap().contains(r#""ssl_verify":false"#));
}

#[test]
fn a_web_server_that_is_no_controller_is_not_logged_in_to() {
    let user = User::new(&[("GET /v1/", 200, "hello")], "1.7");
    let output = user.run(&["login", &user.controller(), "--username=a", "--password=b"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("does not appear to be a valid Deis controller."),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_controller_that_does_not_answer_is_named_with_a_cure() {
    let user = User::new(&[], "1.7");
    let output = user.run(&["login", "http://deis.localhost:1", "--username=a", "--password=b"]);
    let text = stderr(&output);
    assert!(text.starts_with("Error: failed to reach the controller at http://deis.localhost:1: "), "{text}");
    assert!(text.contains("Check the address"), "{text}");
}

#[test]
fn requests_carry_what_the_original_client_sends() {
    let user = User::logged_in(&[("GET /v1/apps/?page_size=100", 200, &page(APP))]);
    user.prints(&["apps"]);
    let headers = user.fake.headers.lock().unwrap()[0].clone();
    assert_eq!(headers["authorization"], "token secret");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["user-agent"], "Deis Client v1.13.4");
}

#[test]
fn an_app_is_created_with_its_git_remote() {
    let user = User::logged_in(&[("POST /v1/apps/", 201, APP)]);
    user.git(&["init", "-q"]);
    let expected = format!(
        "Creating Application... {SPIN}done, created blog\nGit remote deis added\n\
         remote available at ssh://git@localhost:2222/blog.git\n"
    );
    assert_eq!(user.prints(&["create", "blog"]), expected);
    assert_eq!(user.asked(), [r#"POST /v1/apps/ {"id":"blog"}"#]);
    assert_eq!(user.git(&["remote", "get-url", "deis"]), "ssh://git@localhost:2222/blog.git\n");
    let again = user.run(&["git:remote", "-a", "blog"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("git remote rename deis deis.old && deis git:remote -a blog"));
    assert!(stderr(&again).contains("Error: exit status"));
}

#[test]
fn outside_of_a_repository_the_app_stays_and_the_remote_can_follow() {
    let user = User::logged_in(&[("POST /v1/apps/", 201, APP)]);
    let mut command = user.command(&["create", "blog"]);
    let output = command.env("GIT_CEILING_DIRECTORIES", "/").env("GIT_DIR", "none").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("done, created blog"));
    assert!(stderr(&output).contains("run in the app's repository:\n  deis git:remote -a blog\n"));
}

#[test]
fn a_login_that_is_no_longer_valid_says_how_to_renew_it() {
    let user = User::logged_in(&[("GET /v1/apps/?page_size=100", 401, r#"{"detail":"Invalid token"}"#)]);
    let expected = format!(
        "Error: \n401 UNAUTHORIZED\ndetail: Invalid token\nLog in again with 'deis login {}'.\n",
        user.controller()
    );
    assert_eq!(stderr(&user.run(&["apps"])), expected);
}

#[test]
fn an_app_may_be_created_without_name_and_remote() {
    let expected = format!(
        "Creating Application... {SPIN}done, created blog\nremote available at ssh://git@localhost:2222/blog.git\n"
    );
    let answers = [("POST /v1/apps/", 201, APP), ("POST /v1/apps/blog/config/", 201, CONFIG)];
    check(&["create", "--no-remote"], &answers[..1], &expected, &["POST /v1/apps/"]);
    let asked = ["POST /v1/apps/", r#"POST /v1/apps/blog/config/ {"values":{"BUILDPACK_URL":"https://x"}}"#];
    check(&["create", "--no-remote", "-b", "https://x"], &answers, &expected, &asked);
}

#[test]
fn the_app_of_a_directory_is_found() {
    let answers = [("GET /v1/apps/blog/config/", 200, CONFIG), ("DELETE /v1/apps/blog/", 204, "")];
    let user = User::logged_in(&answers);
    user.git(&["init", "-q"]);
    user.git(&["remote", "add", "prod", "ssh://git@localhost:2222/blog.git"]);
    assert_eq!(user.prints(&["tags"]), "=== blog Tags\nrack     1\n");
    let mismatch = user.run(&["destroy", "--confirm=other"]);
    assert_eq!(stderr(&mismatch), "Error: App blog does not match confirm other, aborting.\n");
    let expected = "Destroying blog...\ndone in 0s\nGit remote prod removed\n";
    assert_eq!(user.prints(&["destroy", "--confirm=blog"]), expected);
    assert_eq!(user.git(&["remote"]), "");
}

#[test]
fn a_directory_without_remote_is_asked_for_by_its_name() {
    let user = User::logged_in(&[]);
    let directory = user.home.path().join("NoApp");
    std::fs::create_dir(&directory).unwrap();
    let output = user.command(&["info"]).current_dir(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "Error: \n404 NOT FOUND\ndetail: Not found\n");
    assert_eq!(user.asked(), ["GET /v1/apps/noapp/"]);
}

#[test]
fn apps_are_listed_and_described() {
    let other = APP.replace(r#""id":"blog""#, r#""id":"a-first""#);
    let apps = page(&format!("{APP},{other}"));
    let list = ("GET /v1/apps/?page_size=100", 200, apps.as_str());
    check(&["apps:list"], &[list], "=== Apps\na-first\nblog\n", &["GET /v1/apps/?page_size=100"]);
    let one = page(APP);
    let list = ("GET /v1/apps/?page_size=1", 200, one.as_str());
    check(&["apps", "-l", "1"], &[list], "=== Apps (1 of 2)\nblog\n", &["GET /v1/apps/?page_size=1"]);
    let domains =
        page(r#"{"app":"blog","owner":"ann","domain":"www.example.com","created":"c","updated":"u"}"#);
    let answers = [
        ("GET /v1/apps/blog/", 200, APP),
        ("GET /v1/apps/blog/containers/?page_size=100", 200, CONTAINERS),
        ("GET /v1/apps/blog/domains/?page_size=100", 200, domains.as_str()),
    ];
    let expected = format!(
        "=== blog Application\nupdated:  2016-05-04T09:31:00UTC\nuuid:     u-1\ncreated:  2016-05-04T09:30:00UTC\n\
         url:      blog.example.com\nowner:    ann\nid:       blog\n\n{PROCESSES}\n\
         === blog Domains (1 of 2)\nwww.example.com\n\n"
    );
    let asked = answers.map(|(line, ..)| line);
    check(&["info", "-a", "blog"], &answers, &expected, &asked);
}

#[test]
fn logs_are_coloured_by_source() {
    let answers =
        [("GET /v1/apps/blog/logs?log_lines=2", 200, "t blog[web.1]: hello: you\nt blog[web.1]: bye\n")];
    let user = User::logged_in(&answers);
    let printed = user.prints(&["logs", "-n", "2", "-a", "blog"]);
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].starts_with("\u{1b}[3") && lines[0].ends_with("t blog[web.1]: hello: you\u{1b}[0m"));
    assert_eq!(lines[0][..5], lines[1][..5]);
    let plain = user.command(&["logs", "-n", "2", "-a", "blog"]).env("NO_COLOR", "1").output().unwrap();
    assert_eq!(stdout(&plain), answers[0].2);
}

#[test]
fn no_logs_are_no_error() {
    check(&["logs", "-a", "blog"], &[("GET /v1/apps/blog/logs", 204, "")], "", &["GET /v1/apps/blog/logs"]);
}

#[test]
fn logs_can_be_followed() {
    let user =
        User::logged_in(&[("GET /v1/apps/blog/logs?log_lines=5&follow=true", 200, "t a[b]: x\nt a[b]: y\n")]);
    let output = user.command(&["logs", "-f", "-n5", "-a", "blog"]).env("NO_COLOR", "1").output().unwrap();
    assert_eq!(stdout(&output), "t a[b]: x\nt a[b]: y\n");
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let long = "t a[b]: line\n".repeat(100_000);
    let user = User::logged_in(&[("GET /v1/apps/blog/logs", 200, &long)]);
    let mut child =
        user.command(&["logs", "-a", "blog"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn run_ends_as_the_remote_command_did() {
    let user = User::logged_in(&[("POST /v1/apps/blog/run", 200, r#"[3,"Hello, 世界\n"]"#)]);
    let output = user.run(&["run", "-a", "blog", "echo", "-n", "Hello,", "世界"]);
    assert_eq!(stdout(&output), "Running 'echo -n Hello, 世界'...\nHello, 世界\n");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(user.asked(), [r#"POST /v1/apps/blog/run {"command":"echo -n Hello, 世界"}"#]);
    user.run(&["apps:run", "--app=blog", "--", "ls", "-a"]);
    assert_eq!(user.asked()[1], r#"POST /v1/apps/blog/run {"command":"ls -a"}"#);
}

#[test]
fn config_is_listed_set_and_unset() {
    let listed = "=== blog Config\nA           1\nLONGER      two words\n";
    let get = ("GET /v1/apps/blog/config/", 200, CONFIG);
    let post = ("POST /v1/apps/blog/config/", 201, CONFIG_MADE);
    check(&["config", "-a", "blog"], &[get], listed, &[get.0]);
    check(&["config", "-a", "blog", "--oneline"], &[get], "A=1 LONGER=two words \n", &[get.0]);
    let expected = format!("Creating config... {SPIN}done, v4\n\n{listed}");
    let asked = [r#"POST /v1/apps/blog/config/ {"values":{"A":"1","B":"x\ny=z","EMPTY":""}}"#, get.0];
    check(&["config:set", "A=1", "EMPTY=", "B=x\ny=z", "-a", "blog"], &[get, post], &expected, &asked);
    let expected = format!("Removing config... {SPIN}done\n\n{listed}");
    let asked = [r#"POST /v1/apps/blog/config/ {"values":{"FOO":null}}"#, get.0];
    check(&["config:unset", "FOO", "-a", "blog"], &[get, post], &expected, &asked);
}

#[test]
fn a_bad_variable_is_named_and_the_rest_is_set() {
    let user = User::logged_in(&[
        ("GET /v1/apps/blog/config/", 200, CONFIG),
        ("POST /v1/apps/blog/config/", 201, CONFIG),
    ]);
    let printed = user.prints(&["config:set", "1A=x", "A=1", "-a", "blog"]);
    let first = "'1A=x' does not match the pattern 'key=var', ex: MODE=test\n";
    assert!(printed.starts_with(&format!("{first}Creating config... {SPIN}done\n\n")), "{printed}");
    assert_eq!(user.run(&["config:set", "nonsense", "-a", "blog"]).status.code(), Some(1));
    assert_eq!(user.asked().len(), 2);
}

#[test]
fn config_goes_to_a_file_and_back() {
    let user = User::logged_in(&[
        ("GET /v1/apps/blog/config/", 200, CONFIG),
        ("POST /v1/apps/blog/config/", 201, CONFIG),
    ]);
    user.prints(&["config:pull", "-a", "blog"]);
    let file = user.home.path().join(".env");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "A=1\nLONGER=two words\n");
    let refused = user.run(&["config:pull", "-a", "blog"]);
    assert_eq!(stderr(&refused), "Error: .env already exists, pass -o to overwrite\n");
    std::fs::write(&file, "# comment\nPOWERED_BY=Deis").unwrap();
    user.prints(&["config:push", "-a", "blog"]);
    assert_eq!(user.asked()[1], r#"POST /v1/apps/blog/config/ {"values":{"POWERED_BY":"Deis"}}"#);
    std::fs::write(&file, "").unwrap();
    user.prints(&["config:push", "-a", "blog"]);
    assert_eq!(user.asked()[3], "POST /v1/apps/blog/config/ {}");
}

#[test]
fn limits_are_sent_as_text() {
    let listed = "=== blog Limits\n\n--- Memory\nweb     512M\n\n--- CPU\nUnlimited\n";
    let get = ("GET /v1/apps/blog/config/", 200, CONFIG);
    let post = ("POST /v1/apps/blog/config/", 201, CONFIG_MADE);
    check(&["limits", "-a", "blog"], &[get], listed, &[get.0]);
    let expected = format!("Applying limits... {SPIN}done\n\n{listed}");
    let asked = [r#"POST /v1/apps/blog/config/ {"cpu":{"web":"512"}}"#, get.0];
    check(&["limits:set", "-c", "web=512", "-a", "blog"], &[get, post], &expected, &asked);
    let asked = [r#"POST /v1/apps/blog/config/ {"memory":{"web":null}}"#, get.0];
    check(&["limits:unset", "web", "-a", "blog"], &[get, post], &expected, &asked);
}

#[test]
fn tags_are_set() {
    let get = ("GET /v1/apps/blog/config/", 200, CONFIG);
    let post = ("POST /v1/apps/blog/config/", 201, CONFIG);
    let expected = format!("Applying tags... {SPIN}done\n\n=== blog Tags\nrack     1\n");
    let asked = [r#"POST /v1/apps/blog/config/ {"tags":{"rack":"1"}}"#, get.0];
    check(&["tags:set", "rack=1", "-a", "blog"], &[get, post], &expected, &asked);
}

#[test]
fn processes_are_listed_scaled_and_restarted() {
    let list = ("GET /v1/apps/blog/containers/?page_size=100", 200, CONTAINERS);
    check(&["ps", "-a", "blog"], &[list], PROCESSES, &[list.0]);
    let scale = ("POST /v1/apps/blog/scale/", 204, "");
    let expected = format!("Scaling processes... but first, coffee!\n{SPIN}done in 0s\n{PROCESSES}");
    let asked = [r#"POST /v1/apps/blog/scale/ {"web":2,"worker":1}"#, list.0];
    check(&["scale", "web=2", "worker=1", "-a", "blog"], &[list, scale], &expected, &asked);
    let restart = ("POST /v1/apps/blog/containers/web/1/restart/", 200, "[]");
    let expected = format!("Restarting processes... but first, coffee!\n{SPIN}done in 0s\n{PROCESSES}");
    check(&["ps:restart", "web.1", "-a", "blog"], &[list, restart], &expected, &[restart.0, list.0]);
    let user = User::logged_in(&[list, scale]);
    let tea =
        user.command(&["scale", "web=1", "-a", "blog"]).env("DEIS_DRINK_OF_CHOICE", "tea").output().unwrap();
    assert!(stdout(&tea).contains("but first, tea!"));
}

#[test]
fn releases_are_listed_described_and_rolled_back() {
    let release = r#"{"uuid":"u","app":"blog","owner":"ann","version":2,"summary":"ann deployed abc","config":"c-1","build":"b-1","created":"c","updated":"d"}"#;
    let failed = release.replace(r#""updated":"d""#, r#""updated":"d","state":"failed","failure":"no port""#);
    let both = page(&format!("{failed},{release}"));
    let list = ("GET /v1/apps/blog/releases/?page_size=100", 200, both.as_str());
    let expected = "=== blog Releases\nv2\tc\tann deployed abc (failed)\nv2\tc\tann deployed abc\n";
    check(&["releases", "-a", "blog"], &[list], expected, &[list.0]);
    let info = ("GET /v1/apps/blog/releases/v2/", 200, release);
    let expected = "=== blog Release v2\nbuild:    b-1\nconfig:   c-1\nowner:    ann\ncreated:  c\n\
                    summary:  ann deployed abc\nupdated:  d\nuuid:     u\n";
    check(&["releases:info", "2", "-a", "blog"], &[info], expected, &[info.0]);
    let rollback = ("POST /v1/apps/blog/releases/rollback/", 201, r#"{"version":5}"#);
    let expected = format!("Rolling back one release... {SPIN}done, v5\n");
    check(&["rollback", "-a", "blog"], &[rollback], &expected, &[rollback.0]);
    let expected = format!("Rolling back to v3... {SPIN}done, v5\n");
    let asked = [r#"POST /v1/apps/blog/releases/rollback/ {"version":3}"#];
    check(&["rollback", "v3", "-a", "blog"], &[rollback], &expected, &asked);
    let bad = User::logged_in(&[]).run(&["releases:info", "v", "-a", "blog"]);
    assert_eq!(stderr(&bad), "Error: v is not in the form 'v#'\n");
}

#[test]
fn builds_are_listed_and_made_from_images() {
    let build = r#"{"uuid":"b-1","app":"blog","owner":"ann","image":"x","sha":"","procfile":{},"dockerfile":"","created":"c","updated":"u"}"#;
    let list = page(build);
    let answers = [("GET /v1/apps/blog/builds/?page_size=100", 200, list.as_str())];
    check(&["builds", "-a", "blog"], &answers, "=== blog Builds (1 of 2)\nb-1 c\n", &[answers[0].0]);
    let create = [("POST /v1/apps/blog/builds/", 201, build)];
    let expected = format!("Creating build... {SPIN}done\n");
    let asked = [r#"POST /v1/apps/blog/builds/ {"image":"team/x:1","procfile":{"worker":"./work"}}"#];
    check(&["pull", "team/x:1", "-a", "blog", "-p", "worker: ./work"], &create, &expected, &asked);
    let asked = [r#"POST /v1/apps/blog/builds/ {"image":"team/x:1"}"#];
    check(&["builds:create", "team/x:1", "-a", "blog"], &create, &expected, &asked);
}

#[test]
fn domains_are_added_and_removed() {
    let add = ("POST /v1/apps/blog/domains/", 201, "{}");
    let expected = format!("Adding www.example.com to blog... {SPIN}done\n");
    let asked = [r#"POST /v1/apps/blog/domains/ {"domain":"www.example.com"}"#];
    check(&["domains:add", "www.example.com", "-a", "blog"], &[add], &expected, &asked);
    let remove = ("DELETE /v1/apps/blog/domains/www.example.com", 204, "");
    let expected = format!("Removing www.example.com from blog... {SPIN}done\n");
    check(&["domains:remove", "www.example.com", "-a", "blog"], &[remove], &expected, &[remove.0]);
}

#[test]
fn an_error_ends_the_line_it_interrupts() {
    let refused = ("POST /v1/apps/", 400, r#"{"id":["This field must be unique."]}"#);
    let output = User::logged_in(&[refused]).run(&["create", "blog"]);
    assert_eq!(stdout(&output), format!("Creating Application... {SPIN}\n"));
    assert_eq!(stderr(&output), "Error: \n400 BAD REQUEST\nid: This field must be unique.\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn perms_are_of_an_app_or_the_platform() {
    let list = ("GET /v1/apps/blog/perms/", 200, r#"{"users":["zoe","bob"]}"#);
    check(&["perms", "-a", "blog"], &[list], "=== blog's Users\nbob\nzoe\n", &[list.0]);
    let admins = page(r#"{"username":"ann","is_superuser":true},{"username":"al","is_superuser":true}"#);
    let list = ("GET /v1/admin/perms/?page_size=100", 200, admins.as_str());
    check(&["sharing", "--admin"], &[list], "=== Administrators\nal\nann\n", &[list.0]);
    let add = ("POST /v1/apps/blog/perms/", 201, "");
    let asked = [r#"POST /v1/apps/blog/perms/ {"username":"bob"}"#];
    check(
        &["sharing:add", "bob", "-a", "blog"],
        &[add],
        "Adding bob to blog collaborators... done\n",
        &asked,
    );
    let remove = ("DELETE /v1/admin/perms/bob", 204, "");
    let expected = "Removing bob from system administrators... done\n";
    check(&["perms:delete", "bob", "--admin"], &[remove], expected, &[remove.0]);
}

#[test]
fn keys_are_added_under_their_comment() {
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dHRlcmZseWJ1dHRlcmZseWJ1dHRlcmZseWI0 ann@laptop";
    let user = User::logged_in(&[("POST /v1/keys/", 201, "{}"), ("DELETE /v1/keys/ann@laptop", 204, "")]);
    std::fs::write(user.home.path().join("id.pub"), format!("{public}\n")).unwrap();
    assert_eq!(user.prints(&["keys:add", "id.pub"]), "Uploading id.pub to deis... done\n");
    assert_eq!(user.asked(), [format!(r#"POST /v1/keys/ {{"id":"ann@laptop","public":"{public}"}}"#)]);
    assert_eq!(user.prints(&["keys:remove", "ann@laptop"]), "Removing ann@laptop SSH Key... done\n");
    std::fs::write(user.home.path().join("id"), "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
    assert_eq!(stderr(&user.run(&["keys:add", "id"])), "Error: id is not a valid ssh key\n");
}

#[test]
fn certs_are_listed_added_and_removed_with_errors_shown() {
    let cert = |name: &str| {
        format!(
            r#"{{"id":1,"owner":"ann","common_name":"{name}","expires":"2017","created":"c","updated":"u"}}"#
        )
    };
    let certs = page(&format!("{},{}", cert("www.example.com"), cert("a.b")));
    let list = ("GET /v1/certs/?page_size=100", 200, certs.as_str());
    let expected = "Common Name         Expires\n-----------         -------\n\
                    a.b                 2017\nwww.example.com     2017\n";
    check(&["certs"], &[list], expected, &[list.0]);
    let none =
        ("GET /v1/certs/?page_size=100", 200, r#"{"count":0,"next":null,"previous":null,"results":[]}"#);
    check(&["certs:list"], &[none], "No certs\n", &[none.0]);
    let output = User::logged_in(&[]).run(&["certs:remove", "www.example.com"]);
    assert_eq!(stderr(&output), "Error: \n404 NOT FOUND\ndetail: Not found\n");
    let user = User::logged_in(&[("POST /v1/certs/", 201, "{}")]);
    write(user.home.path(), &[("crt", "C"), ("key", "K")]);
    let words = ["certs:add", "crt", "key", "--subject-alt-names=a.b,c.d"];
    assert_eq!(user.prints(&words), format!("Adding SSL endpoint... {SPIN}done\n"));
    let asked = ["a.b", "c.d"]
        .map(|name| format!(r#"POST /v1/certs/ {{"certificate":"C","common_name":"{name}","key":"K"}}"#));
    assert_eq!(user.asked(), asked);
}

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(directory.join(name), text).expect("the home is writable");
    }
}

#[test]
fn passwords_change_and_accounts_end() {
    let passwd = ("POST /v1/auth/passwd/", 200, r#"{"status":"password set"}"#);
    let asked = [r#"POST /v1/auth/passwd/ {"new_password":"b","password":"a"}"#];
    check(&["passwd", "--password=a", "--new-password=b"], &[passwd], "Password change succeeded.\n", &asked);
    let refused = ("POST /v1/auth/passwd/", 400, r#"{"detail":"Current password does not match"}"#);
    let output = User::logged_in(&[refused]).run(&["passwd", "--password=a", "--new-password=b"]);
    assert!(stderr(&output).starts_with("Password change failed: Error: \n400 BAD REQUEST\n"));
    let user = User::logged_in(&[("DELETE /v1/auth/cancel/", 204, "")]);
    assert_eq!(user.prints(&["auth:cancel", "--username=bob", "--yes"]), "Account cancelled\n");
    assert_eq!(user.asked(), [r#"DELETE /v1/auth/cancel/ {"username":"bob"}"#]);
    assert!(user.state().exists());
}

#[test]
fn a_new_token_is_remembered() {
    let user = User::logged_in(&[("POST /v1/auth/tokens/", 200, r#"{"token":"new"}"#)]);
    assert_eq!(user.prints(&["auth:regenerate"]), "Token Regenerated\n");
    assert!(std::fs::read_to_string(user.state()).unwrap().contains(r#""token":"new""#));
    let user = User::logged_in(&[("POST /v1/auth/tokens/", 200, r#""""#)]);
    assert_eq!(user.prints(&["auth:regenerate", "--all"]), "Token Regenerated\n");
    assert_eq!(user.asked(), [r#"POST /v1/auth/tokens/ {"all":true}"#]);
    assert!(std::fs::read_to_string(user.state()).unwrap().contains(r#""token":"secret""#));
}

#[test]
fn listings_are_json_on_request() {
    let list = ("GET /v1/apps/blog/containers/?page_size=100", 200, CONTAINERS);
    let printed = User::logged_in(&[list]).prints(&["ps", "--json", "-a", "blog"]);
    assert!(printed.starts_with("[\n") && printed.contains(r#""state": "down""#), "{printed}");
    let get = ("GET /v1/apps/blog/config/", 200, CONFIG);
    let expected = "{\n  \"A\": \"1\",\n  \"LONGER\": \"two words\"\n}\n";
    check(&["config", "--json", "-a", "blog"], &[get], expected, &[get.0]);
}

#[test]
fn another_api_version_is_warned_of() {
    let user = User::new(&[("GET /v1/apps/?page_size=100", 200, &page(""))], "2.0");
    user.log_in();
    let output = user.run(&["apps"]);
    assert!(stderr(&output).starts_with("!    WARNING: Client and server API versions do not match."));
    assert!(output.status.success());
}

#[test]
fn a_controller_that_moved_is_not_followed() {
    let user = User::logged_in(&[("GET /v1/apps/?page_size=100", 301, "")]);
    assert!(stderr(&user.run(&["apps"])).contains("log in again with that address"));
}

#[test]
fn command_lines_that_mean_nothing_are_refused() {
    let user = User::logged_in(&[]);
    let refused = |arguments: &[&str]| {
        let output = user.run(arguments);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{arguments:?}");
        stderr(&output)
    };
    assert_eq!(refused(&[]), "Usage: deis <command> [<args>...]\n");
    let text = refused(&["ps:scal", "web=1"]);
    assert!(text.starts_with("Found no matching command, try 'deis help'\nDid you mean "), "{text}");
    assert!(text.contains("ps:scale") && text.ends_with("Usage: deis <command> [<args>...]\n"), "{text}");
    assert!(refused(&["no-such-group"]).starts_with("Found no matching command"));
    assert!(refused(&["apps:create", "--no-such-flag"]).contains("--no-such-flag"));
    assert!(refused(&["ps:scale"]).contains("TYPE=NUM"));
    assert!(user.asked().is_empty());
}

#[test]
fn help_is_there_in_every_form() {
    let user = User::logged_in(&[]);
    assert!(user.prints(&["help"]).contains("releases"));
    assert!(user.prints(&["help", "ps"]).contains("ps:scale"));
    assert_eq!(user.prints(&["help", "scale"]), user.prints(&["ps:scale", "--help"]));
    assert!(user.prints(&["scale", "--help"]).contains("deis scale web=3"));
    assert!(user.prints(&["shortcuts"]).contains("rollback        -> releases:rollback"));
    assert_eq!(user.prints(&["--version"]), "1.13.4\n");
}

#[test]
fn unknown_groups_are_plugins() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::logged_in(&[]);
    let plugin = user.home.path().join("deis-foo");
    std::fs::write(&plugin, "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", user.home.path().display(), std::env::var("PATH").unwrap());
    let output = user.command(&["foo:bar", "x"]).env("PATH", path).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(7), "bar x\n".to_owned()));
}
