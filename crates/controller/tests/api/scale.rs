//! Scaling.

use super::platform::Platform;

async fn check_refused(body: &str, status: u16, expected: &str) {
    let platform = Platform::start().await.with_build().await;
    platform.check("bob", "POST /v1/apps/blog/scale/", body, status, expected).await;
}

async fn structure(platform: &Platform) -> String {
    platform.call("bob", "GET /v1/apps/blog/", "").await.json()["structure"].to_string()
}

#[tokio::test]
async fn scaling_changes_the_types_that_are_mentioned() {
    let platform = Platform::start().await.with_build().await;
    let scale = async |body: &str, expected: &str| {
        platform.check("bob", "POST /v1/apps/blog/scale/", body, 204, "").await;
        assert_eq!(structure(&platform).await, expected);
    };
    scale(r#"{"web": 3, "worker": "1"}"#, r#"{"cmd":1,"web":3,"worker":1}"#).await;
    platform.logger.await_line("blog", "bob scaled containers web=3 worker=1").await;
    scale(r#"{"cmd": 0, "web": 1}"#, r#"{"cmd":0,"web":1,"worker":1}"#).await;
    scale("{}", r#"{"cmd":0,"web":1,"worker":1}"#).await;
    let page = platform.call("bob", "GET /v1/apps/blog/containers/", "").await.json();
    let names: Vec<String> =
        page["results"].as_array().unwrap().iter().map(|c| format!("{}.{}", c["type"], c["num"])).collect();
    assert_eq!(names, [r#""web".1"#, r#""worker".1"#]);
}

#[tokio::test]
async fn an_app_scaled_to_zero_stays_at_zero() {
    let platform = Platform::start().await.with_build().await;
    platform.check("bob", "POST /v1/apps/blog/scale/", r#"{"cmd": 0}"#, 204, "").await;
    platform.check("bob", "POST /v1/apps/blog/builds/", r#"{"image": "new"}"#, 201, "…").await;
    assert_eq!(structure(&platform).await, r#"{"cmd":0}"#);
}

#[tokio::test]
async fn wrong_numbers_and_types_are_refused() {
    let integer = "Invalid scaling format: invalid literal for int() with base 10: 'not_an_int'";
    check_refused(r#"{"web": "not_an_int"}"#, 400, &format!(r#"{{"detail":"{integer}"}}"#)).await;
    check_refused(r#"{"web": [1]}"#, 400, r#"{"detail":"Invalid scaling format: …"#).await;
    check_refused(r#"{"web": 1.5}"#, 400, r#"{"detail":"Invalid scaling format: …"#).await;
    check_refused(r#"{"web": -1}"#, 400, "Must be greater than or equal to zero…").await;
    check_refused(r#"{"web": 1001}"#, 400, "Must be at most 1000…").await;
    let unknown = r#"{"detail":"Container type clock does not exist in application"}"#;
    check_refused(r#"{"clock": 1}"#, 400, unknown).await;
    let platform = Platform::start().await.with_app().await;
    let no_build = r#"{"detail":"No build associated with this release"}"#;
    platform.check("bob", "POST /v1/apps/blog/scale/", r#"{"web": 1}"#, 400, no_build).await;
}

#[tokio::test]
async fn a_failure_of_the_engine_answers_503() {
    let platform = Platform::start().await.with_build().await;
    platform.deploys.fail(Some("aborting, failed to create some containers"));
    let cause = r#"{"detail":"aborting, failed to create some containers"}"#;
    platform.check("bob", "POST /v1/apps/blog/scale/", r#"{"web": 9}"#, 503, cause).await;
    assert_eq!(structure(&platform).await, r#"{"cmd":1}"#);
}
