//! Command lines, help, and what all requests have in common.

use crate::user::{APP, CONFIG, CONTAINERS, User, check, page, stderr, stdout};

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
