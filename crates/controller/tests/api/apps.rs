//! Apps: making, listing, handing over, destroying; who sees what.

use super::platform::Platform;

const FORBIDDEN: &str = r#"{"detail":"You do not have permission to perform this action."}"#;

async fn check_refused(id: &str, message: &str) {
    let platform = Platform::start().await.with_app().await;
    let body = serde_json::json!({ "id": id }).to_string();
    let expected = serde_json::json!({ "id": [message] }).to_string();
    platform.check("bob", "POST /v1/apps/", &body, 400, &expected).await;
}

#[tokio::test]
async fn an_app_is_shown_as_clients_expect_it() {
    let platform = Platform::start().await;
    let app = platform.check("bob", "POST /v1/apps/", r#"{"id": "blog"}"#, 201, "…").await.json();
    assert_eq!((app["id"].as_str(), app["owner"].as_str()), (Some("blog"), Some("bob")));
    assert_eq!(
        (app["url"].as_str(), app["structure"].as_object().unwrap().len()),
        (Some("blog.example.com"), 0)
    );
    let created = app["created"].as_str().unwrap();
    assert!(created.len() == 22 && created.ends_with("UTC"), "{created}");
    assert_eq!(app["uuid"].as_str().unwrap().len(), 36);
    assert_eq!(platform.check("bob", "GET /v1/apps/blog/", "", 200, "…").await.json(), app);
    platform.logger.await_line("blog", "blog[deis-controller]: bob created initial release").await;
}

#[tokio::test]
async fn an_app_without_an_id_gets_a_name() {
    let platform = Platform::start().await;
    for body in ["", "{}", r#"{"id": null}"#] {
        let app = platform.check("bob", "POST /v1/apps/", body, 201, "…").await.json();
        assert!(app["id"].as_str().unwrap().contains('-'));
    }
}

#[tokio::test]
async fn app_ids_are_checked() {
    check_refused("Blog", "App IDs can only contain [a-z0-9-].").await;
    check_refused("camelCase", "App IDs can only contain [a-z0-9-].").await;
    check_refused("a b", "Enter a valid 'slug' consisting of letters, numbers, underscores or hyphens.")
        .await;
    check_refused("", "This field may not be blank.").await;
    check_refused("deis", "deis is a reserved name.").await;
    check_refused("blog", "This field must be unique.").await;
    check_refused(&"a".repeat(65), "Ensure this field has no more than 64 characters.").await;
}

#[tokio::test]
async fn users_see_their_apps_and_administrators_all() {
    let platform = Platform::start().await.with_app().await;
    platform.check("eve", "POST /v1/apps/", r#"{"id": "shop"}"#, 201, "…").await;
    for (who, count) in [("bob", 1), ("eve", 1), ("ann", 2)] {
        let page = platform.check(who, "GET /v1/apps/", "", 200, "…").await.json();
        assert_eq!(page["count"], count, "{who}");
    }
    platform.check("ann", "GET /v1/apps/blog/", "", 200, "…").await;
    platform.check("ann", "DELETE /v1/apps/blog/", "", 204, "").await;
}

#[tokio::test]
async fn strangers_are_refused_everywhere_and_unknown_apps_are_not_found() {
    let platform = Platform::start().await.with_build().await;
    let calls = [
        ("GET", "", ""),
        ("POST", "", r#"{"owner": "eve"}"#),
        ("DELETE", "", ""),
        ("GET", "logs", ""),
        ("POST", "run", r#"{"command": "ls"}"#),
        ("POST", "scale/", r#"{"web": 1}"#),
        ("GET", "builds/", ""),
        ("POST", "builds/", r#"{"image": "x"}"#),
        ("GET", "builds/0/", ""),
        ("GET", "config/", ""),
        ("POST", "config/", ""),
        ("GET", "releases/", ""),
        ("GET", "releases/v1/", ""),
        ("POST", "releases/rollback/", ""),
        ("GET", "containers/", ""),
        ("GET", "containers/web/", ""),
        ("GET", "containers/web/1/", ""),
        ("POST", "containers/restart/", ""),
        ("POST", "containers/web/restart/", ""),
        ("POST", "containers/web/1/restart/", ""),
        ("GET", "domains/", ""),
        ("POST", "domains/", r#"{"domain": "a.com"}"#),
        ("DELETE", "domains/a.com", ""),
        ("GET", "perms/", ""),
        ("POST", "perms/", r#"{"username": "eve"}"#),
        ("DELETE", "perms/bob", ""),
    ];
    for (method, path, body) in calls {
        platform.check("eve", &format!("{method} /v1/apps/blog/{path}"), body, 403, FORBIDDEN).await;
        platform.check("", &format!("{method} /v1/apps/blog/{path}"), body, 401, "…").await;
        platform.check("ann", &format!("{method} /v1/apps/shop/{path}"), body, 404, "…").await;
    }
}

#[tokio::test]
async fn an_app_changes_hands_by_its_owner_or_an_administrator() {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/blog/perms/", r#"{"username": "eve"}"#, 201, "").await;
    platform.check("eve", "POST /v1/apps/blog/", r#"{"owner": "eve"}"#, 403, FORBIDDEN).await;
    platform.check("bob", "POST /v1/apps/blog/", r#"{"owner": "who"}"#, 404, "…").await;
    platform.check("bob", "POST /v1/apps/blog/", "", 200, "").await;
    platform.check("bob", "POST /v1/apps/blog/", r#"{"owner": "eve"}"#, 200, "").await;
    assert_eq!(platform.call("eve", "GET /v1/apps/blog/", "").await.json()["owner"], "eve");
    platform.check("bob", "GET /v1/apps/blog/", "", 403, FORBIDDEN).await;
    platform.check("ann", "POST /v1/apps/blog/", r#"{"owner": "bob"}"#, 200, "").await;
    platform.check("eve", "GET /v1/apps/blog/", "", 403, FORBIDDEN).await;
}

#[tokio::test]
async fn a_destroyed_app_is_gone_with_its_log() {
    let platform = Platform::start().await.with_build().await;
    platform.logger.await_line("blog", "bob deployed example/blog").await;
    platform.check("bob", "DELETE /v1/apps/blog/", "", 204, "").await;
    assert!(!platform.logger.has_log("blog"));
    for path in ["", "config/", "releases/", "builds/", "containers/", "domains/", "perms/", "logs"] {
        platform
            .check("bob", &format!("GET /v1/apps/blog/{path}"), "", 404, r#"{"detail":"Not found"}"#)
            .await;
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let platform = Platform::start().await;
    for id in ["a", "b", "c"] {
        platform.check("bob", "POST /v1/apps/", &format!(r#"{{"id": "{id}"}}"#), 201, "…").await;
    }
    let page = async |query: &str| {
        let page = platform.check("bob", &format!("GET /v1/apps/{query}"), "", 200, "…").await.json();
        let ids: Vec<&str> =
            page["results"].as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap()).collect();
        let link =
            |name: &str| page[name].as_str().unwrap_or("-").replace("http://deis.example.com/v1/apps/", "");
        format!("{} {} {} {}", page["count"], ids.join(","), link("previous"), link("next"))
    };
    assert_eq!(page("?page_size=2").await, "3 a,b - ?page=2&page_size=2");
    assert_eq!(page("?page_size=2&page=2").await, "3 c ?page=1&page_size=2 -");
    for size in ["", "?page_size=0", "?page_size=-1", "?page_size=many", "?page_size=100"] {
        assert_eq!(page(size).await, "3 a,b,c - -", "{size}");
    }
    for query in ["?page=2", "?page=0", "?page=x", "?page=4294967295&page_size=10000"] {
        platform.check("bob", &format!("GET /v1/apps/{query}"), "", 404, "…").await;
    }
    platform
        .check("eve", "GET /v1/apps/", "", 200, r#"{"count":0,"next":null,"previous":null,"results":[]}"#)
        .await;
}
