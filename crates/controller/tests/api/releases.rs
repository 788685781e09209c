//! Releases and rollbacks.

use super::platform::Platform;

async fn check_rollback(platform: &Platform, body: &str, status: u16, expected: &str) {
    platform.check("bob", "POST /v1/apps/blog/releases/rollback/", body, status, expected).await;
}

#[tokio::test]
async fn a_release_is_shown_as_clients_expect_it() {
    let platform = Platform::start().await.with_build().await;
    let release = platform.check("bob", "GET /v1/apps/blog/releases/v1/", "", 200, "…").await.json();
    assert_eq!(release["summary"], "bob created initial release");
    assert_eq!((release["version"].as_u64(), release["build"].is_null()), (Some(1), true));
    assert_eq!((release["app"].as_str(), release["owner"].as_str()), (Some("blog"), Some("bob")));
    let page = platform.check("bob", "GET /v1/apps/blog/releases/", "", 200, "…").await.json();
    assert_eq!((page["count"].as_u64(), page["results"][0]["version"].as_u64()), (Some(2), Some(2)));
    assert_eq!(page["results"][0]["summary"], "bob deployed example/blog");
    assert_eq!(page["results"][0]["state"], "deployed");
    for version in ["v3", "v0", "v", "x", "2", "v99999999999"] {
        platform.check("bob", &format!("GET /v1/apps/blog/releases/{version}/"), "", 404, "…").await;
    }
    platform.check("bob", "PUT /v1/apps/blog/releases/v1/", "", 405, "…").await;
}

#[tokio::test]
async fn a_rollback_is_a_new_release_of_an_old_one() {
    let platform = Platform::start().await.with_build().await;
    platform.check("bob", "POST /v1/apps/blog/config/", r#"{"values": {"A": "1"}}"#, 201, "…").await;
    check_rollback(&platform, "", 201, r#"{"version":4}"#).await;
    let release = |version: u32| format!("GET /v1/apps/blog/releases/v{version}/");
    let (old, new) = (
        platform.call("bob", &release(2), "").await.json(),
        platform.call("bob", &release(4), "").await.json(),
    );
    assert_eq!((&old["build"], &old["config"]), (&new["build"], &new["config"]));
    assert_eq!(new["summary"], "bob rolled back to v2");
    platform.logger.await_line("blog", "bob rolled back to v2").await;
    let config = platform.call("bob", "GET /v1/apps/blog/config/", "").await.json();
    assert_eq!(config["values"].as_object().unwrap().len(), 0, "the old config is shown");
    check_rollback(&platform, r#"{"version": 3}"#, 201, r#"{"version":5}"#).await;
    check_rollback(&platform, r#"{"version": "1"}"#, 201, r#"{"version":6}"#).await;
    assert!(platform.call("bob", &release(6), "").await.json()["build"].is_null());
    check_rollback(&platform, r#"{"version": 0}"#, 201, r#"{"version":7}"#).await;
}

#[tokio::test]
async fn impossible_rollbacks_are_refused() {
    let platform = Platform::start().await.with_app().await;
    let below = r#"{"detail":"version cannot be below 0"}"#;
    check_rollback(&platform, "", 400, below).await;
    check_rollback(&platform, r#"{"version": -1}"#, 400, below).await;
    check_rollback(&platform, r#"{"version": 9}"#, 404, r#"{"detail":"Not found"}"#).await;
    check_rollback(&platform, r#"{"version": "x"}"#, 400, r#"{"version":["A valid integer is required."]}"#)
        .await;
}

#[tokio::test]
async fn a_failed_rollback_answers_503() {
    let platform = Platform::start().await.with_build().await;
    platform.check("bob", "POST /v1/apps/blog/config/", "", 201, "…").await;
    platform.deploys.fail(Some("too slow"));
    check_rollback(&platform, "", 503, r#"{"detail":"too slow"}"#).await;
    let newest = platform.call("bob", "GET /v1/apps/blog/releases/", "").await.json()["results"][0].clone();
    assert_eq!((newest["version"].as_u64(), newest["state"].as_str()), (Some(4), Some("failed")));
    assert_eq!(newest["summary"], "bob rolled back to v2 (failed)");
}
