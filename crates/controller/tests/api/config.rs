//! Config, limits and tags.

use std::time::Duration;

use serde_json::{Value, json};

use super::platform::Platform;

async fn change(platform: &Platform, body: &str) -> Value {
    platform.check("bob", "POST /v1/apps/blog/config/", body, 201, "…").await.json()
}

async fn check_refused(body: &str, field: &str, message: &str) {
    let platform = Platform::start().await.with_app().await;
    let expected = json!({ field: [message] }).to_string();
    platform.check("bob", "POST /v1/apps/blog/config/", body, 400, &expected).await;
    assert_eq!(platform.call("bob", "GET /v1/apps/blog/releases/", "").await.json()["count"], 1);
}

#[tokio::test]
async fn a_change_is_merged_into_the_config_and_released() {
    let platform = Platform::start().await.with_app().await;
    let first =
        platform.check("bob", "POST /v1/apps/blog/config/", r#"{"values": {"A": "1"}}"#, 201, "…").await;
    assert_eq!((first.header("deis-release"), first.header("x-deis-release")), ("2", "2"));
    assert_eq!(first.json()["values"], json!({"A": "1"}), "no release is shown before the first build");
    let second = change(&platform, r#"{"values": "{\"B\": \"ü ☃ 'x' \\\"y\\\" $z\", \"C\": 7}"}"#).await;
    assert_eq!(second["values"], json!({"A": "1", "B": "ü ☃ 'x' \"y\" $z", "C": "7"}));
    let third = change(&platform, r#"{"values": {"A": null, "NEVER": null}}"#).await;
    assert_eq!(third["values"], json!({"B": "ü ☃ 'x' \"y\" $z", "C": "7"}));
    assert_eq!(platform.call("bob", "GET /v1/apps/blog/config/", "").await.json(), third);
    assert_ne!(first.json()["uuid"], third["uuid"]);
    let summaries = platform.call("bob", "GET /v1/apps/blog/releases/", "").await.json();
    assert_eq!(summaries["results"][1]["summary"], "bob added B, C");
}

#[tokio::test]
async fn limits_and_tags_are_config_too() {
    let platform = Platform::start().await.with_app().await;
    let config =
        change(&platform, r#"{"memory": {"web": "1G"}, "cpu": {"web": "512"}, "tags": {"rack": "a"}}"#).await;
    assert_eq!(config["memory"], json!({"web": "1G"}));
    assert_eq!(config["cpu"], json!({"web": 512}), "shares are numbers although clients send text");
    assert_eq!(config["tags"], json!({"rack": "a"}));
    let config = change(&platform, r#"{"memory": {"web": null}}"#).await;
    assert_eq!((config["memory"].clone(), config["cpu"].clone()), (json!({}), json!({"web": 512})));
}

#[tokio::test]
async fn bad_entries_are_refused_under_their_field() {
    let key = "Config keys must start with a letter or underscore and only contain [A-z0-9_]";
    for bad in ["123", "../../foo", "FOO/", "FOO-BAR"] {
        check_refused(&json!({"values": {bad: "x"}}).to_string(), "values", key).await;
    }
    let memory = "Limit format: <number><unit>, where unit = B, K, M or G";
    check_refused(r#"{"memory": {"web": "20MK"}}"#, "memory", memory).await;
    check_refused(r#"{"cpu": {"web": "much"}}"#, "cpu", "CPU shares must be an integer").await;
    check_refused(r#"{"cpu": {"web": 1025}}"#, "cpu", "CPU shares must be between 0 and 1024").await;
    check_refused(r#"{"cpu": {"1": 1}}"#, "cpu", "Process types can only contain [a-z]").await;
    check_refused(r#"{"tags": {"a b": "x"}}"#, "tags", "Tag keys can only contain [a-z]").await;
    check_refused(r#"{"tags": {"rack": "a b"}}"#, "tags", "Invalid tag value").await;
}

#[tokio::test]
async fn an_app_with_a_build_is_told_its_release_in_this_answer_only() {
    let platform = Platform::start().await.with_build().await;
    let config = change(&platform, r#"{"values": {"A": "1"}}"#).await;
    assert_eq!(config["values"], json!({"A": "1", "DEIS_APP": "blog", "DEIS_RELEASE": "v3"}));
    let config = platform.call("bob", "GET /v1/apps/blog/config/", "").await.json();
    assert_eq!(config["values"], json!({"A": "1"}));
}

#[tokio::test]
async fn an_empty_change_is_a_release() {
    let platform = Platform::start().await.with_app().await;
    for body in ["", "{}"] {
        change(&platform, body).await;
    }
    let releases = platform.call("bob", "GET /v1/apps/blog/releases/", "").await.json();
    assert_eq!(
        (releases["count"].as_u64(), releases["results"][0]["summary"].as_str()),
        (Some(3), Some("bob changed nothing"))
    );
    for method in ["PUT", "PATCH", "DELETE"] {
        platform.check("bob", &format!("{method} /v1/apps/blog/config/"), "", 405, "…").await;
    }
}

#[tokio::test]
async fn a_change_waits_for_the_one_before_but_not_for_ever() {
    let platform = std::sync::Arc::new(Platform::start().await.with_build().await);
    platform.deploys.hold(true);
    let first = {
        let platform = std::sync::Arc::clone(&platform);
        tokio::spawn(async move { change(&platform, r#"{"values": {"A": "1"}}"#).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = platform.call("bob", "POST /v1/apps/blog/config/", r#"{"values": {"B": "2"}}"#).await;
    assert_eq!((refused.status.as_u16(), refused.phrase.as_str()), (409, "CONFLICT"));
    let text = refused.json()["error"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Config changes already in progress.\n"), "{text}");
    platform.deploys.hold(false);
    let (first, second) = (first.await.unwrap(), change(&platform, r#"{"values": {"C": "3"}}"#).await);
    assert_eq!(first["values"]["DEIS_RELEASE"], "v3");
    assert_eq!(second["values"], json!({"A": "1", "C": "3", "DEIS_APP": "blog", "DEIS_RELEASE": "v4"}));
}
