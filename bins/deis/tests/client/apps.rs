//! Apps, their logs and one-off commands.

use std::io::Write;
use std::process::Stdio;

use crate::user::{APP, CONFIG, CONTAINERS, PROCESSES, SPIN, User, check, page, stderr, stdout};

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
fn run_sends_what_it_reads_only_when_told_to() {
    let answer = ("POST /v1/apps/blog/run", 200, r#"[0,"2\n"]"#);
    let user = User::logged_in(&[answer, answer]);
    let fed = |arguments: &[&str]| {
        let mut command = user.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // One that does not read it may have ended already.
        let _ = child.stdin.take().unwrap().write_all(b"a\n\"b\"\n");
        stdout(&child.wait_with_output().unwrap())
    };
    assert_eq!(fed(&["run", "-a", "blog", "-i", "wc -l"]), "Running 'wc -l'...\n2\n");
    fed(&["run", "-a", "blog", "wc", "-i"]);
    fed(&["run", "--stdin", "-a", "blog", "--", "wc", "-l"]);
    let with = r#"POST /v1/apps/blog/run {"command":"wc -l","input":"a\n\"b\"\n"}"#;
    assert_eq!(user.asked(), [with, r#"POST /v1/apps/blog/run {"command":"wc -i"}"#, with]);
}

#[test]
fn an_error_ends_the_line_it_interrupts() {
    let refused = ("POST /v1/apps/", 400, r#"{"id":["This field must be unique."]}"#);
    let output = User::logged_in(&[refused]).run(&["create", "blog"]);
    assert_eq!(stdout(&output), format!("Creating Application... {SPIN}\n"));
    assert_eq!(stderr(&output), "Error: \n400 BAD REQUEST\nid: This field must be unique.\n");
    assert_eq!(output.status.code(), Some(1));
}
