//! Logs.

use super::platform::Platform;

#[tokio::test]
async fn logs_are_text() {
    let platform = Platform::start().await.with_build().await;
    platform.logger.await_line("blog", "bob deployed example/blog").await;
    let answer = platform.check("bob", "GET /v1/apps/blog/logs", "", 200, "created initial release…").await;
    assert_eq!(answer.header("content-type"), "text/plain");
    let last = platform.call("bob", "GET /v1/apps/blog/logs/?log_lines=1", "").await.body;
    assert_eq!(last.lines().count(), 1);
    assert!(last.ends_with("blog[deis-controller]: bob deployed example/blog\n"), "{last}");
    platform.check("bob", "GET /v1/apps/blog/logs?log_lines=x", "", 200, "…").await;
    platform.check("bob", "GET /v1/apps/blog/logs?follow=true", "", 200, "…").await;
}

#[tokio::test]
async fn an_app_without_a_log_yet_answers_204() {
    let platform = Platform::start().await;
    let blog = deis_model::AppId::parse("blog").unwrap();
    platform.database.create_app(&blog, "bob", "blog.example.com").await.unwrap();
    let answer = platform.check("bob", "GET /v1/apps/blog/logs", "", 204, "").await;
    assert_eq!(answer.phrase, "NO CONTENT");
}

#[tokio::test]
async fn a_failure_of_the_logger_is_told_in_words() {
    let platform = Platform::start().await;
    platform.check("bob", "POST /v1/apps/", r#"{"id": "broken"}"#, 201, "…").await;
    platform.check("bob", "GET /v1/apps/broken/logs", "", 500, "Error accessing logs for broken").await;
}
