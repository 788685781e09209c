//! Registering, logging in, passwords, tokens, leaving, administrators.

use axum::body::Body;
use axum::http::Request;

use super::platform::Platform;

const ANN: &str = r#"{"username": "ann", "password": "secret", "email": "ann@example.com"}"#;
const BOB: &str = r#"{"username": "bob", "password": "hidden", "is_superuser": true, "is_staff": true}"#;
const FORBIDDEN: &str = r#"{"detail":"You do not have permission to perform this action."}"#;

async fn log_in(platform: &Platform, username: &str, password: &str) -> String {
    let body = format!(r#"{{"username": "{username}", "password": "{password}"}}"#);
    let answer = platform.check("", "POST /v1/auth/login/", &body, 200, "…").await;
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// Ann, who is administrator, and bob, with their tokens.
async fn registered() -> (Platform, String, String) {
    let platform = Platform::start_empty().await;
    for user in [ANN, BOB] {
        platform.check("", "POST /v1/auth/register/", user, 201, "…").await;
    }
    let (ann, bob) = (log_in(&platform, "ann", "secret").await, log_in(&platform, "bob", "hidden").await);
    (platform, ann, bob)
}

#[tokio::test]
async fn the_first_user_is_administrator_whatever_later_ones_ask_for() {
    let platform = Platform::start_empty().await;
    let ann = platform.check("", "POST /v1/auth/register/", ANN, 201, "…").await.json();
    assert_eq!((ann["is_superuser"].as_bool(), ann["is_staff"].as_bool()), (Some(true), Some(true)));
    assert_eq!(ann["email"], "ann@example.com");
    assert!(ann["date_joined"].as_str().unwrap().ends_with('Z') && ann.get("password").is_none());
    let bob = platform.check("", "POST /v1/auth/register/", BOB, 201, "…").await.json();
    assert_eq!((bob["is_superuser"].as_bool(), bob["is_active"].as_bool()), (Some(false), Some(true)));
}

#[tokio::test]
async fn registrations_are_checked() {
    let platform = Platform::start_empty().await;
    let check = async |body: &str, expected: &str| {
        platform.check("", "POST /v1/auth/register/", body, 400, expected).await;
    };
    let required = r#"{"password":["This field is required."],"username":["This field is required."]}"#;
    check("", required).await;
    check(r#"{"username": "a b", "password": "x"}"#, r#"{"username":["Enter a valid username…"#).await;
    check(r#"{"username": "ann", "password": ""}"#, r#"{"password":["This field may not be blank."]}"#).await;
    let email = r#"{"username": "ann", "password": "x", "email": "ann"}"#;
    check(email, r#"{"email":["Enter a valid email address."]}"#).await;
    platform.check("", "POST /v1/auth/register/", ANN, 201, "…").await;
    check(ANN, r#"{"username":["This field must be unique."]}"#).await;
}

#[tokio::test]
async fn the_registration_mode_decides_who_may_register() {
    let platform = Platform::start().await;
    let new = |name: &str| format!(r#"{{"username": "{name}", "password": "x"}}"#);
    platform.registration_mode("disabled").await;
    let disabled = r#"{"detail":"Registration is disabled"}"#;
    platform.check("ann", "POST /v1/auth/register/", &new("one"), 403, disabled).await;
    platform.registration_mode("admin_only").await;
    for who in ["", "bob", "nobody"] {
        platform.check(who, "POST /v1/auth/register/", &new("one"), 403, FORBIDDEN).await;
    }
    platform.check("ann", "POST /v1/auth/register/", &new("one"), 201, "…").await;
    platform.registration_mode("enabled").await;
    platform.check("nobody", "POST /v1/auth/register/", &new("two"), 201, "…").await;
    platform.registration_mode("sometimes").await;
    platform.check("", "POST /v1/auth/register/", &new("three"), 500, "…").await;
}

#[tokio::test]
async fn logging_in_takes_json_or_a_form_and_keeps_earlier_logins() {
    let (platform, first, _) = registered().await;
    let form = Request::post("/v1/auth/login/").header("content-type", "application/x-www-form-urlencoded");
    let form = platform.send(form.body(Body::from("username=ann&password=secret")).unwrap()).await;
    let second = form.json()["token"].as_str().unwrap().to_owned();
    assert_eq!((first.len(), second.len()), (40, 40));
    assert_ne!(first, second);
    for token in [first, second] {
        platform.check(&token, "GET /v1/", "", 200, "{}").await;
    }
    let refused = r#"{"non_field_errors":["Unable to log in with provided credentials."]}"#;
    for body in [r#"{"username": "ann", "password": "no"}"#, r#"{"username": "who", "password": "secret"}"#] {
        platform.check("", "POST /v1/auth/login/", body, 400, refused).await;
    }
    let missing = r#"{"password":["This field is required."]}"#;
    platform.check("", "POST /v1/auth/login", r#"{"username": "ann"}"#, 400, missing).await;
}

#[tokio::test]
async fn a_password_changes_with_the_old_one_or_by_an_administrator() {
    let (platform, ann, bob) = registered().await;
    let check = async |who: &str, body: &str, status: u16, expected: &str| {
        platform.check(who, "POST /v1/auth/passwd/", body, status, expected).await;
    };
    let (set, wrong) = (r#"{"status":"password set"}"#, r#"{"detail":"Current password does not match"}"#);
    check(&bob, r#"{"new_password": "new"}"#, 400, wrong).await;
    check(&bob, r#"{"new_password": "new", "password": "no"}"#, 400, wrong).await;
    check(&bob, r#"{"password": "hidden"}"#, 400, r#"{"new_password":["This field is required."]}"#).await;
    check(&bob, r#"{"new_password": "new", "password": "hidden"}"#, 200, set).await;
    platform.check(&bob, "GET /v1/", "", 200, "{}").await;
    check(&bob, r#"{"username": "ann", "new_password": "x", "password": "new"}"#, 403, FORBIDDEN).await;
    check(&ann, r#"{"username": "bob", "new_password": "newer"}"#, 200, set).await;
    check(&ann, r#"{"username": "bob", "new_password": "x", "password": "no"}"#, 400, wrong).await;
    check(&ann, r#"{"username": "who", "new_password": "x"}"#, 404, r#"{"detail":"Not found"}"#).await;
    log_in(&platform, "bob", "newer").await;
}

#[tokio::test]
async fn regenerating_ends_every_login_before() {
    let platform = Platform::start().await;
    let regenerate = async |who: &str, body: &str| {
        let answer = platform.check(who, "POST /v1/auth/tokens/", body, 200, "…").await;
        answer.json()["token"].as_str().unwrap_or_default().to_owned()
    };
    let bob = regenerate("bob", "").await;
    platform.check("bob", "GET /v1/", "", 401, r#"{"detail":"Invalid token"}"#).await;
    let newer = regenerate("ann", r#"{"username": "bob"}"#).await;
    platform.check(&bob, "GET /v1/", "", 401, "…").await;
    platform.check(&newer, "POST /v1/auth/tokens", r#"{"username": "bob"}"#, 403, FORBIDDEN).await;
    platform.check(&newer, "POST /v1/auth/tokens/", r#"{"all": false}"#, 403, FORBIDDEN).await;
    platform.check("ann", "POST /v1/auth/tokens/", r#"{"all": true}"#, 200, r#""""#).await;
    for token in ["ann", "eve", &newer] {
        platform.check(token, "GET /v1/", "", 401, "…").await;
    }
}

#[tokio::test]
async fn users_leave_unless_they_own_apps() {
    let platform = Platform::start().await.with_app().await;
    let has_apps = r#"{"detail":"bob still has applications assigned. Delete or transfer ownership"}"#;
    platform.check("bob", "DELETE /v1/auth/cancel/", "", 409, has_apps).await;
    platform.check("eve", "DELETE /v1/auth/cancel/", r#"{"username": "bob"}"#, 403, FORBIDDEN).await;
    platform.check("ann", "DELETE /v1/auth/cancel/", r#"{"username": "who"}"#, 404, "…").await;
    platform.check("ann", "DELETE /v1/auth/cancel/", r#"{"username": "bob"}"#, 409, has_apps).await;
    platform.check("bob", "DELETE /v1/apps/blog/", "", 204, "").await;
    platform.check("bob", "DELETE /v1/auth/cancel/", "", 204, "").await;
    platform.check("bob", "GET /v1/", "", 401, "…").await;
    platform.check("ann", "DELETE /v1/auth/cancel/", r#"{"username": "eve"}"#, 204, "").await;
}

#[tokio::test]
async fn administrators_list_users_and_name_other_administrators() {
    let platform = Platform::start().await;
    let users = platform.check("ann", "GET /v1/users/?page_size=2", "", 200, "…").await.json();
    assert_eq!((users["count"].as_u64(), users["results"].as_array().unwrap().len()), (Some(3), 2));
    let admins =
        r#"{"count":1,"next":null,"previous":null,"results":[{"username":"ann","is_superuser":true}]}"#;
    let answer = platform.check("ann", "GET /v1/admin/perms/", "", 200, "…").await;
    assert_eq!(answer.json(), serde_json::from_str::<serde_json::Value>(admins).unwrap());
    for call in ["GET /v1/users/", "GET /v1/admin/perms/", "DELETE /v1/admin/perms/ann/"] {
        platform.check("bob", call, "", 403, FORBIDDEN).await;
    }
    platform.check("bob", "POST /v1/admin/perms/", r#"{"username": "bob"}"#, 403, FORBIDDEN).await;
    platform.check("ann", "POST /v1/admin/perms/", r#"{"username": "who"}"#, 404, "…").await;
    let required = r#"{"username":["This field is required."]}"#;
    platform.check("ann", "POST /v1/admin/perms/", "", 400, required).await;
    platform.check("ann", "DELETE /v1/admin/perms/ann", "", 409, "…").await;
    platform.check("ann", "POST /v1/admin/perms/", r#"{"username": "bob"}"#, 201, "").await;
    platform.check("bob", "DELETE /v1/admin/perms/ann", "", 204, "").await;
    platform.check("ann", "GET /v1/users/", "", 403, FORBIDDEN).await;
}
