//! Routing settings of apps: checked, merged, hidden where they are secret.

use super::platform::Platform;

const PATH: &str = "/v1/apps/blog/routing/";

async fn set(platform: &Platform, who: &str, changes: &str, status: u16, expected: &str) {
    for method in ["PATCH", "POST"] {
        platform.check(who, &format!("{method} {PATH}"), changes, status, expected).await;
    }
}

#[tokio::test]
async fn settings_are_merged_and_null_removes() {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", &format!("GET {PATH}"), "", 200, "{}").await;
    set(&platform, "bob", r#"{"bodySize": "5m", "maintenance": true}"#, 200, "…").await;
    let both = r#"{"bodySize":"2m","maintenance":"true"}"#;
    set(&platform, "bob", r#"{"bodySize": "2m", "gzip": null}"#, 200, both).await;
    set(&platform, "bob", r#"{"maintenance": null}"#, 200, r#"{"bodySize":"2m"}"#).await;
    platform.check("bob", "GET /v1/apps/blog/routing", "", 200, r#"{"bodySize":"2m"}"#).await;
    platform.logger.await_line("blog", "bob set routing bodySize, maintenance").await;
    platform.logger.await_line("blog", "bob set routing bodySize and unset gzip").await;
}

#[tokio::test]
async fn what_routers_could_not_follow_is_refused_and_changes_nothing() {
    let platform = Platform::start().await.with_app().await;
    set(&platform, "bob", r#"{"bodySize": "big", "gzip": "off"}"#, 400, r#"{"bodySize":["…"#).await;
    set(&platform, "bob", r#"{"proxyProtocol": "on"}"#, 400, r#"{"proxyProtocol":["…"#).await;
    set(&platform, "bob", r#"{"nonsense": "1"}"#, 400, r#"{"nonsense":["…"#).await;
    set(&platform, "bob", r#"{"gzip": {}}"#, 400, r#"{"gzip":["This field must be text."]}"#).await;
    set(&platform, "bob", r#"[]"#, 400, "…").await;
    platform.check("bob", &format!("GET {PATH}"), "", 200, "{}").await;
}

#[tokio::test]
async fn passwords_are_neither_kept_nor_shown() {
    let platform = Platform::start().await.with_app().await;
    set(&platform, "bob", r#"{"basicAuth": "ann:secret"}"#, 200, r#"{"basicAuth":"(hidden)"}"#).await;
    platform.check("bob", &format!("GET {PATH}"), "", 200, r#"{"basicAuth":"(hidden)"}"#).await;
    let app = deis_model::AppId::parse("blog").unwrap();
    let kept = platform.database.app_settings(&app).await.unwrap();
    assert!(kept["basicAuth"].starts_with("ann:") && !kept["basicAuth"].contains("secret"));
    set(&platform, "bob", r#"{"basicAuth": "(hidden)"}"#, 400, "…").await;
}

#[tokio::test]
async fn only_those_who_may_configure_an_app_set_its_routing() {
    let platform = Platform::start().await.with_app().await;
    set(&platform, "eve", r#"{"gzip": "off"}"#, 403, "…").await;
    platform.check("eve", &format!("GET {PATH}"), "", 403, "…").await;
    platform.check("", &format!("GET {PATH}"), "", 401, "…").await;
    platform.check("bob", "GET /v1/apps/none/routing/", "", 404, "…").await;
    platform.check("bob", "POST /v1/apps/blog/perms/", r#"{"username": "eve"}"#, 201, "").await;
    set(&platform, "eve", r#"{"gzip": "off"}"#, 200, r#"{"gzip":"off"}"#).await;
    set(&platform, "ann", r#"{"gzip": null}"#, 200, "{}").await;
}

/// Has routers open these ports for apps.
async fn offer(platform: &Platform, ports: &str) {
    let ports = [("tcp/ports".to_owned(), Some(ports.to_owned()))].into();
    platform.database.change_settings("router", &ports).await.unwrap();
}

#[tokio::test]
async fn an_app_asks_in_vain_for_a_port_that_routers_do_not_open() {
    let platform = Platform::start().await.with_app().await;
    set(&platform, "bob", r#"{"tcp/port": 7000}"#, 400, r#"{"tcp/port":["…"#).await;
    offer(&platform, "7000-7001").await;
    set(&platform, "bob", r#"{"tcp/port": 7002}"#, 400, r#"{"tcp/port":["the value of tcp/port cannot …"#)
        .await;
    set(&platform, "bob", r#"{"tcp/port": 7001}"#, 200, "…").await;
    offer(&platform, "8000-8001").await;
    set(&platform, "bob", r#"{"gzip": "off"}"#, 200, "…").await;
}

#[tokio::test]
async fn a_port_belongs_to_one_app() {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/", r#"{"id": "shop"}"#, 201, "…").await;
    offer(&platform, "7000-7001").await;
    set(&platform, "bob", r#"{"tcp/port": 7000}"#, 200, r#"{"tcp/port":"7000"}"#).await;
    let shop = "POST /v1/apps/shop/routing/";
    let taken = r#"{"tcp/port":["Another app has this port."]}"#;
    platform.check("bob", shop, r#"{"tcp/port": "07000"}"#, 400, taken).await;
    platform.check("bob", shop, r#"{"tcp/port": 7001}"#, 200, "…").await;
    set(&platform, "bob", r#"{"tcp/port": 0}"#, 200, "{}").await;
    platform.check("bob", shop, r#"{"tcp/port": "7000"}"#, 200, "…").await;
}
