//! One-off commands.

use super::platform::Platform;

#[tokio::test]
async fn a_command_answers_its_status_and_output() {
    let platform = Platform::start().await.with_build().await;
    let command = r#"{"command": "echo 'a b'"}"#;
    platform.check("bob", "POST /v1/apps/blog/run", command, 200, r#"[0,"run.1: echo 'a b'\n"]"#).await;
    platform
        .check("bob", "POST /v1/apps/blog/run/", r#"{"command": "false"}"#, 200, r#"[1,"run.2: false\n"]"#)
        .await;
    platform.logger.await_line("blog", "bob runs 'echo 'a b''").await;
}

#[tokio::test]
async fn a_command_needs_text_and_a_build() {
    let platform = Platform::start().await.with_app().await;
    let no_build = r#"{"detail":"No build associated with this release to run this command"}"#;
    platform.check("bob", "POST /v1/apps/blog/run", r#"{"command": "ls"}"#, 400, no_build).await;
    platform
        .check("bob", "POST /v1/apps/blog/run", "", 400, r#"{"command":["This field is required."]}"#)
        .await;
}

#[tokio::test]
async fn a_command_that_cannot_run_answers_503() {
    let platform = Platform::start().await.with_build().await;
    platform.deploys.fail(Some("no available hosts to run command"));
    let cause = r#"{"detail":"no available hosts to run command"}"#;
    platform.check("bob", "POST /v1/apps/blog/run", r#"{"command": "ls"}"#, 503, cause).await;
}

#[tokio::test]
async fn a_command_may_have_input() {
    let platform = Platform::start().await.with_build().await;
    let empty = r#"{"command": "cat", "input": ""}"#;
    platform.check("bob", "POST /v1/apps/blog/run", empty, 200, r#"[0,"run.1: cat < 0 bytes\n"]"#).await;
    let body = |bytes: usize| format!(r#"{{"command": "cat", "input": "{}"}}"#, "\\u0000".repeat(bytes));
    let fits = r#"[0,"run.2: cat < 1048576 bytes\n"]"#;
    platform.check("bob", "POST /v1/apps/blog/run", &body(1 << 20), 200, fits).await;
    let large = r#"{"detail":"The request is too large."}"#;
    platform.check("bob", "POST /v1/apps/blog/run", &body((1 << 20) + 1), 413, large).await;
    let list = r#"{"command": "cat", "input": ["a"]}"#;
    let not_text = r#"{"input":["This field must be text."]}"#;
    platform.check("bob", "POST /v1/apps/blog/run", list, 400, not_text).await;
}
