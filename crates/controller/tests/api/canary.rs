//! Canaries by the API: what is tried out, promoted and ended, and by whom.

use super::platform::Platform;

const PATH: &str = "/v1/apps/blog/canary/";
const NOTHING: &str = r#"{"detail":"No release of this app is tried out"}"#;

/// An app of bob that serves, whose new releases get a tenth of the requests.
async fn trying() -> Platform {
    let platform = Platform::start().await.with_build().await;
    let off = r#"{"weight":0,"release":null,"next":null}"#;
    platform.check("bob", &format!("GET {PATH}"), "", 200, off).await;
    platform.check("bob", "POST /v1/apps/blog/routing/", r#"{"canary": "10"}"#, 200, "…").await;
    platform.check("bob", "POST /v1/apps/blog/config/", r#"{"values": {"A": "1"}}"#, 201, "…").await;
    platform
}

#[tokio::test]
async fn a_canary_is_shown_and_promoted() {
    let platform = trying().await;
    let shown = platform.call("bob", &format!("GET {PATH}"), "").await.json();
    assert_eq!((shown["weight"].as_u64(), shown["release"]["version"].as_u64()), (Some(10), Some(3)));
    assert_eq!(shown["release"]["state"], "canary");
    assert_eq!(shown["release"]["summary"], "bob added A (canary)");
    platform.check("bob", &format!("POST {PATH}promote/"), "", 200, r#"{"version":3}"#).await;
    platform.logger.await_line("blog", "bob promoted v3").await;
    let release = platform.call("bob", "GET /v1/apps/blog/releases/v3/", "").await.json();
    assert_eq!(
        (release["state"].as_str(), release["summary"].as_str()),
        (Some("deployed"), Some("bob added A"))
    );
    platform.check("bob", &format!("POST {PATH}promote/"), "", 409, NOTHING).await;
}

#[tokio::test]
async fn an_ended_canary_says_who_ended_it() {
    let platform = trying().await;
    platform.check("bob", &format!("DELETE {PATH}"), "", 204, "").await;
    let release = platform.call("bob", "GET /v1/apps/blog/releases/v3/", "").await.json();
    assert_eq!(
        (release["state"].as_str(), release["failure"].as_str()),
        (Some("ended"), Some("bob ended it"))
    );
    let config = platform.call("bob", "GET /v1/apps/blog/config/", "").await.json();
    assert!(config["values"].as_object().unwrap().is_empty(), "the config that serves is shown again");
    platform.check("bob", &format!("DELETE {PATH}"), "", 409, NOTHING).await;
}

#[tokio::test]
async fn who_may_not_deploy_may_not_touch_a_canary() {
    let platform = trying().await;
    for call in [format!("GET {PATH}"), format!("POST {PATH}promote/"), format!("DELETE {PATH}")] {
        platform.check("eve", &call, "", 403, "…").await;
    }
}
