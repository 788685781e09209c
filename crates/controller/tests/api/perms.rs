//! Collaborators.

use super::platform::Platform;

const FORBIDDEN: &str = r#"{"detail":"You do not have permission to perform this action."}"#;

#[tokio::test]
async fn collaborators_change_an_app_but_delete_nothing() {
    let platform = Platform::start().await.with_build().await;
    platform.check("bob", "POST /v1/apps/blog/perms/", r#"{"username": "eve"}"#, 201, "").await;
    platform.check("bob", "POST /v1/apps/blog/perms", r#"{"username": "eve"}"#, 201, "").await;
    platform.logger.await_line("blog", "User eve was granted access to blog").await;
    platform.check("eve", "GET /v1/apps/blog/perms/", "", 200, r#"{"users":["eve"]}"#).await;
    assert_eq!(platform.call("eve", "GET /v1/apps/", "").await.json()["count"], 1);
    let changed =
        platform.check("eve", "POST /v1/apps/blog/config/", r#"{"values": {"A": "1"}}"#, 201, "…").await;
    assert_eq!(changed.json()["owner"], "eve");
    platform.check("eve", "POST /v1/apps/blog/scale/", r#"{"web": 1}"#, 204, "").await;
    platform.check("eve", "POST /v1/apps/blog/run", r#"{"command": "ls"}"#, 200, "…").await;
    platform.check("eve", "POST /v1/apps/blog/releases/rollback/", "", 201, "…").await;
    platform.check("eve", "DELETE /v1/apps/blog/", "", 403, FORBIDDEN).await;
    platform.check("eve", "POST /v1/apps/blog/perms/", r#"{"username": "ann"}"#, 403, FORBIDDEN).await;
}

#[tokio::test]
async fn access_is_revoked_by_the_owner_or_by_oneself() {
    let platform = Platform::start().await.with_app().await;
    let grant = async |user: &str| {
        let body = format!(r#"{{"username": "{user}"}}"#);
        platform.check("bob", "POST /v1/apps/blog/perms/", &body, 201, "").await;
    };
    grant("eve").await;
    platform.check("eve", "DELETE /v1/apps/blog/perms/eve", "", 204, "").await;
    platform.check("eve", "GET /v1/apps/blog/", "", 403, FORBIDDEN).await;
    platform.logger.await_line("blog", "User eve was revoked access to blog").await;
    platform.check("bob", "DELETE /v1/apps/blog/perms/eve", "", 403, FORBIDDEN).await;
    grant("ann").await;
    grant("eve").await;
    platform.check("eve", "DELETE /v1/apps/blog/perms/ann", "", 403, FORBIDDEN).await;
    platform.check("bob", "DELETE /v1/apps/blog/perms/eve/", "", 204, "").await;
    platform.check("bob", "POST /v1/apps/blog/perms/", r#"{"username": "who"}"#, 404, "…").await;
    platform
        .check("bob", "POST /v1/apps/blog/perms/", "", 400, r#"{"username":["This field is required."]}"#)
        .await;
    platform.check("bob", "GET /v1/apps/blog/perms/", "", 200, r#"{"users":["ann"]}"#).await;
}
