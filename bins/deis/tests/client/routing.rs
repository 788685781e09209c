//! How routers treat an app's visitors.

use crate::user::{SPIN, User, check, stderr, write};

const GET: &str = "GET /v1/apps/blog/routing/";
const POST: &str = "POST /v1/apps/blog/routing/";

#[test]
fn settings_are_listed_set_and_unset() {
    let kept = r#"{"bodySize":"50m","timeout/answer":"5m"}"#;
    let listed = "=== blog Routing\nbodySize           50m\ntimeout/answer     5m\n";
    check(&["routing", "-a", "blog"], &[(GET, 200, kept)], listed, &[GET]);
    let applied = format!("Applying routing settings... {SPIN}done\n\n{listed}");
    let set = ["routing:set", "bodySize=50m", "timeout/answer=5m", "-a", "blog"];
    let asked = format!(r#"{POST} {{"bodySize":"50m","timeout/answer":"5m"}}"#);
    check(&set, &[(POST, 200, kept)], &applied, &[&asked]);
    let asked = format!(r#"{POST} {{"gzip":null}}"#);
    check(&["routing:unset", "gzip", "-a", "blog"], &[(POST, 200, kept)], &applied, &[&asked]);
}

#[test]
fn a_setting_that_is_refused_is_told_with_the_reason() {
    let refused = r#"{"bodySize":["the value of bodySize cannot be used: it must be a size"]}"#;
    let user = User::logged_in(&[(POST, 400, refused)]);
    let output = user.run(&["routing:set", "bodySize=big", "-a", "blog"]);
    let told =
        "Error: \n400 BAD REQUEST\nbodySize: the value of bodySize cannot be used: it must be a size\n";
    assert_eq!(stderr(&output), told);
    let output = user.run(&["routing:set", "bodySize", "-a", "blog"]);
    assert!(stderr(&output).contains("'bodySize' does not match the pattern 'key=value'"));
}

#[test]
fn all_there_is_to_set_is_shown_without_a_controller() {
    let printed = User::new(&[], "1.7").prints(&["routing:list", "--all"]);
    assert!(printed.starts_with("=== Routing Settings of Apps\n"));
    assert!(printed.contains("\nbodySize "), "{printed}");
    assert!(!printed.contains("sslKey"), "only operators set it");
}

#[test]
fn routing_is_switched() {
    check(&["routing:info", "-a", "blog"], &[(GET, 200, "{}")], "Routing is enabled.\n", &[GET]);
    let off = r#"{"routable":"off"}"#;
    check(&["routing:info", "-a", "blog"], &[(GET, 200, off)], "Routing is disabled.\n", &[GET]);
    let expected = format!("Disabling routing for blog... {SPIN}done\n");
    let asked = format!("{POST} {off}");
    check(&["routing:disable", "-a", "blog"], &[(POST, 200, off)], &expected, &[&asked]);
    let expected = format!("Enabling routing for blog... {SPIN}done\n");
    let asked = format!(r#"{POST} {{"routable":null}}"#);
    check(&["routing:enable", "-a", "blog"], &[(POST, 200, "{}")], &expected, &[&asked]);
}

#[test]
fn maintenance_is_switched_with_a_page_of_ones_own() {
    check(&["maintenance:info", "-a", "blog"], &[(GET, 200, "{}")], "Maintenance mode is off.\n", &[GET]);
    let on = r#"{"maintenance":"true"}"#;
    check(&["maintenance:info", "-a", "blog"], &[(GET, 200, on)], "Maintenance mode is on.\n", &[GET]);
    let expected = format!("Disabling maintenance mode for blog... {SPIN}done\n");
    let asked = format!(r#"{POST} {{"maintenance":null}}"#);
    check(&["maintenance:off", "-a", "blog"], &[(POST, 200, "{}")], &expected, &[&asked]);
    let user = User::logged_in(&[(POST, 200, "{}")]);
    write(user.home.path(), &[("soon.html", "<p>soon")]);
    let printed = user.prints(&["maintenance:on", "--page", "soon.html", "-a", "blog"]);
    assert_eq!(printed, format!("Enabling maintenance mode for blog... {SPIN}done\n"));
    assert_eq!(user.asked(), [format!(r#"{POST} {{"maintenance":"on","maintenance/page":"<p>soon"}}"#)]);
}

#[test]
fn addresses_are_listed_added_and_removed() {
    let kept = r#"{"whitelist":"1.2.3.4:office,2001:db8::/32"}"#;
    let listed = "=== blog Whitelisted Addresses\n1.2.3.4:office\n2001:db8::/32\n";
    check(&["whitelist", "-a", "blog"], &[(GET, 200, kept)], listed, &[GET]);
    let answers = [(GET, 200, kept), (POST, 200, kept)];
    let expected = format!("Adding 5.6.7.8,1.2.3.4:office to blog whitelist... {SPIN}done\n");
    let asked = format!(r#"{POST} {{"whitelist":"1.2.3.4:office,2001:db8::/32,5.6.7.8"}}"#);
    check(&["whitelist:add", "5.6.7.8,1.2.3.4:office", "-a", "blog"], &answers, &expected, &[GET, &asked]);
    let expected = format!("Removing 1.2.3.4 from blog whitelist... {SPIN}done\n");
    let asked = format!(r#"{POST} {{"whitelist":"2001:db8::/32"}}"#);
    check(&["whitelist:remove", "1.2.3.4", "-a", "blog"], &answers, &expected, &[GET, &asked]);
    let output = User::logged_in(&answers).run(&["whitelist:remove", "9.9.9.9", "-a", "blog"]);
    assert!(stderr(&output).contains("9.9.9.9 is not on the whitelist of blog"));
}

#[test]
fn the_last_address_takes_the_list_along() {
    let answers = [(GET, 200, r#"{"whitelist":"1.2.3.4"}"#), (POST, 200, "{}")];
    let expected = format!("Removing 1.2.3.4 from blog whitelist... {SPIN}done\n");
    let asked = format!(r#"{POST} {{"whitelist":null}}"#);
    check(&["whitelist:remove", "1.2.3.4", "-a", "blog"], &answers, &expected, &[GET, &asked]);
}

#[test]
fn https_is_enforced_or_not() {
    let info = "=== blog TLS\nHTTPS Enforced: not set\n";
    check(&["tls:info", "-a", "blog"], &[(GET, 200, "{}")], info, &[GET]);
    let on = r#"{"enforceHTTPS":"on"}"#;
    let info = "=== blog TLS\nHTTPS Enforced: true\n";
    check(&["tls:info", "-a", "blog"], &[(GET, 200, on)], info, &[GET]);
    let expected = format!("Enabling https-only requests for blog... {SPIN}done\n");
    let asked = format!("{POST} {on}");
    check(&["tls:enable", "-a", "blog"], &[(POST, 200, on)], &expected, &[&asked]);
    let expected = format!("Enabling automatic certificates for blog... {SPIN}done\n");
    let asked = format!(r#"{POST} {{"tls/auto":"on"}}"#);
    check(&["tls:auto", "-a", "blog"], &[(POST, 200, "{}")], &expected, &[&asked]);
    let expected = format!("Disabling https-only requests for blog... {SPIN}done\n");
    let asked = format!(r#"{POST} {{"enforceHTTPS":"off"}}"#);
    check(&["tls:disable", "-a", "blog"], &[(POST, 200, "{}")], &expected, &[&asked]);
}
