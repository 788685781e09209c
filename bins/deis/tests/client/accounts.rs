//! Registering, logging in and out, passwords, tokens.

use std::process::Stdio;

use crate::user::{User, check, stderr, stdout};

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
fn a_login_that_is_no_longer_valid_says_how_to_renew_it() {
    let user = User::logged_in(&[("GET /v1/apps/?page_size=100", 401, r#"{"detail":"Invalid token"}"#)]);
    let expected = format!(
        "Error: \n401 UNAUTHORIZED\ndetail: Invalid token\nLog in again with 'deis login {}'.\n",
        user.controller()
    );
    assert_eq!(stderr(&user.run(&["apps"])), expected);
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
