//! Who and what reaches an app: domains, certificates, keys, collaborators.

use crate::user::{SPIN, User, check, page, stderr, write};

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
    let automatic = r#"{"id":0,"owner":"ann","common_name":"blog.test","expires":"","created":"","updated":"","names":["blog.test"],"automatic":{"app":"blog","state":"failed","problem":"no such host","next":"2026"}}"#;
    let both = page(&format!("{},{automatic}", cert("a.b")));
    let list = ("GET /v1/certs/?page_size=100", 200, both.as_str());
    let expected = "Common Name     Expires     State\n-----------     -------     -----\n\
                    a.b             2017        uploaded\n\
                    blog.test       -           failed for blog: no such host; next attempt 2026\n";
    check(&["certs"], &[list], expected, &[list.0]);
    let info = ("GET /v1/certs/blog.test", 200, automatic);
    let expected = "=== blog.test Certificate\nnames:    blog.test\nowner:    ann\napp:      blog\n\
                    state:    failed\nproblem:  no such host\nnext:     2026\n";
    check(&["certs:info", "blog.test"], &[info], expected, &[info.0]);
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
