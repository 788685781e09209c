//! What makes releases: config, limits, tags, builds, rollbacks; and processes.

use crate::user::{CONFIG, CONFIG_MADE, CONTAINERS, PROCESSES, SPIN, User, check, page, stderr, stdout};

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
    let failed = failed.replace("ann deployed abc", "ann deployed abc (failed)");
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
