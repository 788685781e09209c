//! SSH keys.

use serde_json::json;

use super::platform::Platform;

const KEY: &str = "ssh-rsa aGVsbG8= bob@laptop";

async fn add(platform: &Platform, who: &str, id: &str, public: &str, status: u16, expected: &str) {
    let body = json!({"id": id, "public": public, "name": "ignored"}).to_string();
    platform.check(who, "POST /v1/keys/", &body, status, expected).await;
}

#[tokio::test]
async fn a_key_is_shown_with_its_fingerprint() {
    let platform = Platform::start().await;
    add(&platform, "bob", "bob@laptop.example.com", KEY, 201, "…").await;
    let page = platform.check("bob", "GET /v1/keys/", "", 200, "…").await.json();
    let key = &page["results"][0];
    assert_eq!(key["fingerprint"], "5d:41:40:2a:bc:4b:2a:76:b9:71:9d:91:10:17:c5:92");
    assert_eq!((key["public"].as_str(), key["owner"].as_str()), (Some(KEY), Some("bob")));
    for path in ["bob@laptop.example.com", "bob@laptop.example.com/", "bob%40laptop.example.com"] {
        assert_eq!(platform.check("bob", &format!("GET /v1/keys/{path}"), "", 200, "…").await.json(), *key);
    }
}

#[tokio::test]
async fn keys_are_checked_and_belong_to_one_user() {
    let platform = Platform::start().await;
    add(&platform, "bob", "laptop", "ssh-rsa", 400, r#"{"public":["Incorrect padding"]}"#).await;
    add(&platform, "bob", "laptop", "ssh-rsa a===", 400, r#"{"public":["Incorrect padding"]}"#).await;
    let long = r#"{"id":["Ensure this field has no more than 128 characters."]}"#;
    add(&platform, "bob", &"a".repeat(129), KEY, 400, long).await;
    let required = r#"{"id":["This field is required."],"public":["This field is required."]}"#;
    platform.check("bob", "POST /v1/keys/", "", 400, required).await;
    add(&platform, "bob", "laptop", KEY, 201, "…").await;
    let taken = r#"{"public":["This field must be unique."]}"#;
    add(&platform, "bob", "again", KEY, 400, taken).await;
    add(&platform, "eve", "mine", "ssh-rsa aGVsbG8= eve@laptop", 400, taken).await;
}

#[tokio::test]
async fn keys_are_nobody_elses_business() {
    let platform = Platform::start().await;
    add(&platform, "bob", "laptop", KEY, 201, "…").await;
    for who in ["eve", "ann"] {
        assert_eq!(platform.call(who, "GET /v1/keys/", "").await.json()["count"], 0);
        platform.check(who, "GET /v1/keys/laptop", "", 404, "…").await;
        platform.check(who, "DELETE /v1/keys/laptop", "", 404, "…").await;
    }
    platform.check("bob", "DELETE /v1/keys/laptop/", "", 204, "").await;
    platform.check("bob", "DELETE /v1/keys/laptop", "", 404, "…").await;
    add(&platform, "bob", "work/desk", KEY, 201, "…").await;
    platform.check("bob", "DELETE /v1/keys/work/desk", "", 204, "").await;
}
