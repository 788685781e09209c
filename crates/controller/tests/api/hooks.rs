//! The builder's hooks.

use serde_json::json;

use super::platform::Platform;

fn push(user: &str, app: &str) -> String {
    json!({
        "receive_user": user, "receive_repo": app, "sha": "a".repeat(40), "fingerprint": "aa:bb",
        "ssh_connection": "10.0.0.9 1 10.0.0.1 2", "ssh_original_command": "git-receive-pack 'blog.git'",
    })
    .to_string()
}

fn build(image: &str, sha: &str) -> String {
    json!({
        "receive_user": "bob", "receive_repo": "blog", "image": image, "sha": sha,
        "procfile": {"web": "serve 'a b' \"c\" $PORT"}, "dockerfile": "",
    })
    .to_string()
}

#[tokio::test]
async fn hooks_are_for_the_builder() {
    let platform = Platform::start().await.with_app().await;
    for hook in ["push", "config", "build", "builds", "push/", "builds/"] {
        platform.check("", &format!("POST /v1/hooks/{hook}"), &push("bob", "blog"), 401, "…").await;
        platform.check("ann", &format!("POST /v1/hooks/{hook}"), &push("bob", "blog"), 403, "…").await;
    }
}

#[tokio::test]
async fn a_push_is_allowed_to_those_who_may_change_the_app() {
    let platform = Platform::start().await.with_app().await;
    let recorded =
        platform.check("builder", "POST /v1/hooks/push", &push("bob", "blog"), 201, "…").await.json();
    assert_eq!((recorded["owner"].as_str(), recorded["app"].as_str()), (Some("bob"), Some("blog")));
    assert_eq!(recorded["ssh_original_command"], "git-receive-pack 'blog.git'");
    platform.check("builder", "POST /v1/hooks/push", &push("ann", "blog"), 201, "…").await;
    platform.check("builder", "POST /v1/hooks/push", &push("eve", "blog"), 403, "…").await;
    platform.check("builder", "POST /v1/hooks/push", &push("who", "blog"), 404, "…").await;
    platform.check("builder", "POST /v1/hooks/push", &push("bob", "shop"), 404, "…").await;
    platform.check("bob", "POST /v1/apps/blog/perms/", r#"{"username": "eve"}"#, 201, "").await;
    platform.check("builder", "POST /v1/hooks/push", &push("eve", "blog"), 201, "…").await;
}

#[tokio::test]
async fn a_commit_that_is_built_again_gets_an_image_of_its_own() {
    let platform = Platform::start().await.with_app().await;
    for tag in ["git-aaaaaaaa", "git-aaaaaaaa-2", "git-aaaaaaaa-3"] {
        let push =
            platform.check("builder", "POST /v1/hooks/push", &push("bob", "blog"), 201, "…").await.json();
        assert_eq!(push["tag"], tag);
        let built = build(&format!("127.0.0.1:5000/blog:{tag}"), "aaaaaaaa");
        platform.check("builder", "POST /v1/hooks/build", &built, 200, "…").await;
    }
}

#[tokio::test]
async fn the_builder_reads_the_config_of_the_current_release() {
    let platform = Platform::start().await.with_app().await;
    let change = r#"{"values": {"BUILDPACK_URL": "x"}, "cpu": {"web": 1}}"#;
    platform.check("bob", "POST /v1/apps/blog/config/", change, 201, "…").await;
    let config =
        platform.check("builder", "POST /v1/hooks/config", &push("bob", "blog"), 200, "…").await.json();
    assert_eq!(config["values"], json!({"BUILDPACK_URL": "x"}));
    assert_eq!(config["cpu"], json!({"web": 1}));
    assert!(config["created"].as_str().unwrap().ends_with("UTC"));
    let app = platform.call("bob", "GET /v1/apps/blog/", "").await.json();
    assert_eq!(config["app_uuid"], app["uuid"]);
    let shown = platform.call("bob", "GET /v1/apps/blog/config/", "").await.json();
    assert!(shown.get("app_uuid").is_none(), "users' clients see what they always saw");
}

#[tokio::test]
async fn a_build_is_released_before_the_hook_answers() {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/blog/domains/", r#"{"domain": "www.org"}"#, 201, "…").await;
    let expected = r#"{"release":{"version":2},"domains":["blog.example.com","www.org"]}"#;
    platform.check("builder", "POST /v1/hooks/builds", &build("blog", "1234abcd"), 200, expected).await;
    let build = platform.call("bob", "GET /v1/apps/blog/builds/", "").await.json()["results"][0].clone();
    assert_eq!(build["image"], "127.0.0.1:5000/blog:git-1234abcd");
    assert_eq!(build["procfile"]["web"], "serve 'a b' \"c\" $PORT");
    let release = platform.call("bob", "GET /v1/apps/blog/releases/v2/", "").await.json();
    assert_eq!(release["summary"], "bob deployed 1234abc");
    assert_eq!(platform.call("bob", "GET /v1/apps/blog/", "").await.json()["structure"], json!({"web": 1}));
}

#[tokio::test]
async fn a_build_of_an_earlier_app_of_the_same_name_is_refused() {
    let platform = Platform::start().await.with_app().await;
    let uuid = platform.call("bob", "GET /v1/apps/blog/", "").await.json()["uuid"].clone();
    platform.check("bob", "DELETE /v1/apps/blog/", "", 204, "").await;
    let platform = platform.with_app().await;
    let mut late: serde_json::Value = serde_json::from_str(&build("blog", "1234abcd")).unwrap();
    late["app_uuid"] = uuid;
    platform.check("builder", "POST /v1/hooks/build", &late.to_string(), 404, "…").await;
    late["app_uuid"] = platform.call("bob", "GET /v1/apps/blog/", "").await.json()["uuid"].clone();
    platform.check("builder", "POST /v1/hooks/build", &late.to_string(), 200, "…").await;
}

#[tokio::test]
async fn a_build_that_does_not_become_healthy_fails_the_hook() {
    let platform = Platform::start().await.with_app().await;
    platform.deploys.fail(Some("web.1 exited with status 1"));
    let cause = r#"{"detail":"web.1 exited with status 1"}"#;
    platform
        .check("builder", "POST /v1/hooks/build", &build("127.0.0.1:5000/blog:git-1", "1"), 503, cause)
        .await;
}
