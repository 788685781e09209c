//! Builds.

use super::platform::Platform;

async fn check_refused(body: &str, status: u16, expected: &str) {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/blog/builds/", body, status, expected).await;
    assert_eq!(platform.call("bob", "GET /v1/apps/blog/releases/", "").await.json()["count"], 1);
}

async fn check_default(body: &str, expected: &str) {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/blog/builds/", body, 201, "…").await;
    let structure = platform.call("bob", "GET /v1/apps/blog/", "").await.json()["structure"].to_string();
    assert_eq!(structure, expected, "{body}");
}

#[tokio::test]
async fn a_build_is_released_and_shown_as_clients_expect_it() {
    let platform = Platform::start().await.with_app().await;
    let body = r#"{"image": "example/blog", "procfile": "{\"web\": \"serve 'a b'\"}"}"#;
    let answer = platform.check("bob", "POST /v1/apps/blog/builds/", body, 201, "…").await;
    assert_eq!((answer.header("deis-release"), answer.header("x-deis-release")), ("2", "2"));
    let build = answer.json();
    let fields: Vec<&String> = build.as_object().unwrap().keys().collect();
    let expected = ["app", "created", "dockerfile", "image", "owner", "procfile", "sha", "updated", "uuid"];
    assert_eq!(fields, expected);
    assert_eq!(build["procfile"]["web"], "serve 'a b'");
    assert_eq!((build["sha"].as_str(), build["dockerfile"].as_str()), (Some(""), Some("")));
    let uuid = build["uuid"].as_str().unwrap();
    assert_eq!(platform.call("bob", &format!("GET /v1/apps/blog/builds/{uuid}/"), "").await.json(), build);
    platform.check("bob", "POST /v1/apps/blog/builds/", r#"{"image": "second"}"#, 201, "…").await;
    let builds = platform.call("bob", "GET /v1/apps/blog/builds/", "").await.json();
    assert_eq!(builds["results"][0]["image"], "second", "newest first");
    platform.check("bob", "GET /v1/apps/blog/builds/none/", "", 404, "…").await;
    for method in ["PUT", "PATCH", "DELETE"] {
        platform.check("bob", &format!("{method} /v1/apps/blog/builds/"), "", 405, "…").await;
    }
}

#[tokio::test]
async fn the_first_build_starts_one_container() {
    check_default(r#"{"image": "x"}"#, r#"{"cmd":1}"#).await;
    check_default(r#"{"image": "x", "procfile": {"web": "w", "worker": "w"}}"#, r#"{"cmd":1}"#).await;
    check_default(r#"{"image": "x", "sha": "abc", "dockerfile": "true"}"#, r#"{"cmd":1}"#).await;
    let worker = r#"{"image": "x", "sha": "abc", "dockerfile": "true", "procfile": {"worker": "w"}}"#;
    check_default(worker, r#"{"cmd":1}"#).await;
    let web = r#"{"image": "x", "sha": "abc", "dockerfile": "true", "procfile": {"web": "w"}}"#;
    check_default(web, r#"{"web":1}"#).await;
    check_default(r#"{"image": "x", "sha": "abc", "procfile": {"web": "w", "worker": "w"}}"#, r#"{"web":1}"#)
        .await;
}

#[tokio::test]
async fn builds_are_checked() {
    check_refused("", 400, r#"{"image":["This field is required."]}"#).await;
    let long = format!(r#"{{"image": "{}"}}"#, "a".repeat(257));
    check_refused(&long, 400, r#"{"image":["Ensure this field has no more than 256 characters."]}"#).await;
    for id in ["ab", "bad", "0123456789ab", "sha256:ab"] {
        check_refused(&format!(r#"{{"image": "{id}"}}"#), 400, r#"{"image":["Enter the image's name…"#).await;
    }
    check_refused(r#"{"image": "--privileged"}"#, 400, r#"{"image":["Enter a valid image name…"#).await;
    let sha = format!(r#"{{"image": "x", "sha": "{}"}}"#, "a".repeat(41));
    check_refused(&sha, 400, r#"{"sha":["Ensure this field has no more than 40 characters."]}"#).await;
    check_refused(r#"{"image": "x", "procfile": [1]}"#, 400, r#"{"procfile":…"#).await;
    check_refused(r#"{"image": "x", "procfile": {"web": 1}}"#, 400, r#"{"procfile":…"#).await;
    check_refused(r#"{"image": "x", "procfile": {"w b": "x"}}"#, 400, r#"{"procfile":…"#).await;
    check_refused(r#"{"image": "x", "procfile": {"run": "x"}}"#, 400, r#"{"procfile":…"#).await;
}

#[tokio::test]
async fn images_of_the_platform_and_of_other_apps_are_refused() {
    for image in
        ["deis/router:v1", "registry.example.com/deis/store-admin", "127.0.0.1:5000/shop:git-1234abcd"]
    {
        let expected = format!(r#"{{"detail":"Repository name {image} is not allowed"}}"#);
        check_refused(&format!(r#"{{"image": "{image}"}}"#), 403, &expected).await;
    }
}

#[tokio::test]
async fn of_the_registry_an_app_may_use_what_itself_was_built_into() {
    let platform = Platform::start().await.with_app().await;
    let image = r#"{"image": "127.0.0.1:5000/blog:git-1234abcd"}"#;
    let hook =
        r#"{"receive_user": "bob", "receive_repo": "blog", "image": "127.0.0.1:5000/blog:git-1234abcd"}"#;
    let builds = "POST /v1/apps/blog/builds/";
    platform.check("bob", builds, image, 403, "not allowed…").await;
    platform.check("builder", "POST /v1/hooks/build", hook, 200, "…").await;
    platform.check("bob", builds, image, 201, "…").await;

    platform.check("bob", "DELETE /v1/apps/blog/", "", 204, "").await;
    platform.check("eve", "POST /v1/apps/", r#"{"id": "blog"}"#, 201, "…").await;
    platform.check("eve", builds, image, 403, "not allowed…").await;
}

#[tokio::test]
async fn a_failed_deploy_is_told_and_leaves_the_release_before_it_in_place() {
    let platform = Platform::start().await.with_build().await;
    platform.deploys.fail(Some("cmd.1 exited with status 1"));
    let cause = r#"{"detail":"cmd.1 exited with status 1"}"#;
    let answer =
        platform.check("bob", "POST /v1/apps/blog/builds/", r#"{"image": "broken"}"#, 503, cause).await;
    assert_eq!(answer.phrase, "SERVICE UNAVAILABLE");
    platform.check("bob", "POST /v1/apps/blog/config/", r#"{"values": {"A": "1"}}"#, 503, cause).await;
    platform.deploys.fail(None);
    let releases = platform.call("bob", "GET /v1/apps/blog/releases/", "").await.json();
    assert_eq!(releases["results"][0]["state"], "failed");
    assert_eq!(releases["results"][0]["failure"], "cmd.1 exited with status 1");
    let config = platform.check("bob", "GET /v1/apps/blog/config/", "", 200, "…").await.json();
    assert_eq!(
        config["values"].as_object().unwrap().len(),
        0,
        "what failed is not merged into the next change"
    );
    let next = platform.check("bob", "POST /v1/apps/blog/config/", "", 201, "…").await;
    assert_eq!(next.header("deis-release"), "5", "numbers are not used again");
    let release = platform.call("bob", "GET /v1/apps/blog/releases/v5/", "").await.json();
    let build = platform.call("bob", "GET /v1/apps/blog/releases/v2/", "").await.json()["build"].clone();
    assert_eq!(release["build"], build);
}
