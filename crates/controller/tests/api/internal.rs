//! Calls of other components and of operators.

use axum::body::Body;
use axum::http::{Method, Request};

use super::platform::{Answer, INTERNAL_KEY, Platform};

async fn call(platform: &Platform, method: Method, path: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {INTERNAL_KEY}"))
        .header("content-type", "application/json");
    platform.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn only_components_may_call() {
    let platform = Platform::start().await;
    for call in [
        "GET /internal/apps",
        "GET /internal/repositories/aa",
        "PUT /internal/repositories/aa",
        "GET /internal/keys/aa",
        "GET /internal/config/router",
        "POST /internal/admins",
    ] {
        for who in ["", "ann", "builder"] {
            platform.check(who, call, "{}", 401, "…").await;
        }
    }
}

#[tokio::test]
async fn the_builder_learns_whose_key_it_is_and_which_apps_exist() {
    let platform = Platform::start().await.with_app().await;
    let key = r#"{"id": "laptop", "public": "ssh-rsa aGVsbG8= bob"}"#;
    platform.check("bob", "POST /v1/keys/", key, 201, "…").await;
    let path = "/internal/keys/5d:41:40:2a:bc:4b:2a:76:b9:71:9d:91:10:17:c5:92";
    let owner = call(&platform, Method::GET, path, "").await;
    assert_eq!(owner.body, r#"{"username":"bob","public":"ssh-rsa aGVsbG8= bob"}"#);
    let encoded = path.replace(':', "%3A");
    assert_eq!(call(&platform, Method::GET, &encoded, "").await.status, 200);
    assert_eq!(call(&platform, Method::GET, "/internal/keys/aa", "").await.status, 404);
    let app = platform.call("bob", "GET /v1/apps/blog/", "").await.json();
    let listed = format!(r#"{{"apps":[{{"id":"blog","uuid":{}}}]}}"#, app["uuid"]);
    assert_eq!(call(&platform, Method::GET, "/internal/apps", "").await.body, listed);
}

#[tokio::test]
async fn operators_read_and_write_settings() {
    let platform = Platform::start().await;
    let path = "/internal/config/controller";
    let written =
        call(&platform, Method::POST, path, r#"{"values": {"registrationMode": "disabled", "x": "1"}}"#)
            .await;
    assert_eq!(written.body, r#"{"values":{"registrationMode":"disabled","x":"1"}}"#);
    platform.check("", "POST /v1/auth/register/", r#"{"username": "x", "password": "x"}"#, 403, "…").await;
    call(&platform, Method::POST, path, r#"{"values": {"registrationMode": null}}"#).await;
    assert_eq!(call(&platform, Method::GET, path, "").await.body, r#"{"values":{"x":"1"}}"#);
    assert_eq!(call(&platform, Method::POST, path, r#"{"values": {"": "1"}}"#).await.status, 400);
}

/// A certificate for `name` and its key, as JSON texts.
fn pair(name: &str) -> (serde_json::Value, serde_json::Value) {
    let pair = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    (pair.cert.pem().into(), pair.signing_key.serialize_pem().into())
}

#[tokio::test]
async fn what_routers_could_not_follow_is_refused_and_changes_nothing() {
    let platform = Platform::start().await;
    let path = "/internal/config/router";
    let set = async |values: &str| {
        let answer = call(&platform, Method::POST, path, &format!(r#"{{"values": {values}}}"#)).await;
        (answer.status.as_u16(), answer.body)
    };
    let (status, body) = set(r#"{"gzip": "off", "bodySize": "big"}"#).await;
    assert_eq!(
        (status, body.starts_with(r#"{"bodySize":["the value of bodySize cannot be used"#)),
        (400, true)
    );
    assert_eq!(set(r#"{"bodysize": "1m"}"#).await.0, 400);
    assert_eq!(set(r#"{"workerProcesses": "4"}"#).await.0, 200, "known, and without effect");
    let (cert, key) = pair("a.example.com");
    let (other, _) = pair("b.example.com");
    for values in [
        format!(r#"{{"sslCert": {cert}}}"#),
        format!(r#"{{"sslKey": {key}}}"#),
        format!(r#"{{"sslCert": {other}, "sslKey": {key}}}"#),
        format!(r#"{{"sslCert": "x", "sslKey": {key}}}"#),
    ] {
        let (status, body) = set(&values).await;
        assert_eq!((status, body.starts_with(r#"{"ssl"#)), (400, true), "{values} {body}");
    }
    assert_eq!(call(&platform, Method::GET, path, "").await.body, r#"{"values":{"workerProcesses":"4"}}"#);
}

#[tokio::test]
async fn the_key_of_the_platforms_certificate_is_never_shown() {
    let platform = Platform::start().await;
    let path = "/internal/config/router";
    let (cert, key) = pair("a.example.com");
    let values = format!(r#"{{"values": {{"sslCert": {cert}, "sslKey": {key}}}}}"#);
    let told = call(&platform, Method::POST, path, &values).await;
    assert_eq!((told.status.as_u16(), told.json()["values"]["sslKey"].as_str()), (200, Some("(hidden)")));
    let kept = platform.database.settings("router").await.unwrap();
    assert!(!kept["sslKey"].contains("PRIVATE KEY"));
    let half = call(&platform, Method::POST, path, r#"{"values": {"sslKey": null}}"#).await;
    assert_eq!(
        half.body,
        r#"{"sslCert":["the value of sslCert cannot be used: sslKey belongs to it; set or remove both at once"]}"#
    );
    let none = r#"{"values": {"sslCert": null, "sslKey": null}}"#;
    assert_eq!(call(&platform, Method::POST, path, none).await.body, r#"{"values":{}}"#);
}

#[tokio::test]
async fn operators_name_administrators_even_where_registration_is_disabled() {
    let platform = Platform::start().await;
    platform.registration_mode("disabled").await;
    let admin =
        async |body: &str| call(&platform, Method::POST, "/internal/admins", body).await.status.as_u16();
    assert_eq!(admin(r#"{"username": "root", "password": null, "email": ""}"#).await, 400);
    assert_eq!(admin(r#"{"username": "root", "password": "secret", "email": ""}"#).await, 204);
    assert_eq!(admin(r#"{"username": "bob", "password": null, "email": ""}"#).await, 204);
    platform.check("bob", "GET /v1/users/", "", 200, "…").await;
    let login = r#"{"username": "root", "password": "secret"}"#;
    platform.check("", "POST /v1/auth/login/", login, 200, "…").await;
    assert_eq!(admin(r#"{"username": "root", "password": "newer", "email": ""}"#).await, 204);
    platform.check("", "POST /v1/auth/login/", login, 400, "…").await;
}

#[tokio::test]
async fn of_two_builders_only_one_has_its_copy_of_a_repository_count() {
    let platform = Platform::start().await.with_app().await;
    let app = platform.call("bob", "GET /v1/apps/blog/", "").await.json();
    let path = format!("/internal/repositories/{}", app["uuid"].as_str().expect("a text"));
    let replace = async |change: &str| call(&platform, Method::PUT, &path, change).await.status.as_u16();
    assert_eq!(call(&platform, Method::GET, &path, "").await.body, r#"{"copy":null}"#);
    assert_eq!(replace(r#"{"was": null, "copy": "one"}"#).await, 204);
    assert_eq!(replace(r#"{"was": null, "copy": "two"}"#).await, 409);
    assert_eq!(replace(r#"{"was": null, "copy": "one"}"#).await, 204);
    assert_eq!(replace(r#"{"was": "one", "copy": ""}"#).await, 400);
    assert_eq!(call(&platform, Method::GET, &path, "").await.body, r#"{"copy":"one"}"#);
    let unknown = path.replace(app["uuid"].as_str().expect("a text"), "none");
    assert_eq!(call(&platform, Method::PUT, &unknown, r#"{"was": null, "copy": "one"}"#).await.status, 404);
}
