//! Domains.

use std::sync::Arc;
use std::time::Duration;

use super::platform::Platform;

async fn check_refused(domain: &str, message: &str) {
    let platform = Platform::start().await.with_app().await;
    platform.check("eve", "POST /v1/apps/", r#"{"id": "shop"}"#, 201, "…").await;
    for owned in ["shop.com", "*.shop.com"] {
        let body = serde_json::json!({ "domain": owned }).to_string();
        platform.check("eve", "POST /v1/apps/shop/domains/", &body, 201, "…").await;
    }
    let body = serde_json::json!({ "domain": domain }).to_string();
    let expected = serde_json::json!({ "domain": [message] }).to_string();
    platform.check("bob", "POST /v1/apps/blog/domains/", &body, 400, &expected).await;
}

#[tokio::test]
async fn domains_are_added_listed_and_removed() {
    let platform = Platform::start().await.with_app().await;
    for domain in ["www.example.org", "MYDOMAIN.NET", "blog.127.0.0.1.xip.io", "other.example.com"] {
        let body = format!(r#"{{"domain": "{domain}"}}"#);
        let added = platform.check("bob", "POST /v1/apps/blog/domains/", &body, 201, "…").await.json();
        assert_eq!(
            (added["domain"].as_str(), added["app"].as_str(), added["owner"].as_str()),
            (Some(domain), Some("blog"), Some("bob"))
        );
        assert!(added.get("uuid").is_none());
    }
    platform.logger.await_line("blog", "domain MYDOMAIN.NET added").await;
    assert_eq!(platform.call("bob", "GET /v1/apps/blog/domains/", "").await.json()["count"], 4);
    platform.check("bob", "DELETE /v1/apps/blog/domains/mydomain.net", "", 204, "").await;
    platform.check("bob", "DELETE /v1/apps/blog/domains/www.example.org/", "", 204, "").await;
    platform
        .check("bob", "DELETE /v1/apps/blog/domains/www.example.org", "", 404, r#"{"detail":"Not found"}"#)
        .await;
    platform.logger.await_line("blog", "domain www.example.org removed").await;
}

#[tokio::test]
async fn domains_are_checked() {
    check_refused("this_is_an.invalid.domain", "Hostname does not look valid.").await;
    check_refused("*.org", "A wildcard has to be below a name of two labels at least, as *.example.com is.")
        .await;
    check_refused(&"a.".repeat(150), "Hostname must be 255 characters or less.").await;
    check_refused("shop.com", "The domain shop.com is already in use by another app").await;
    check_refused("SHOP.com", "The domain SHOP.com is already in use by another app").await;
    check_refused("shop.example.com", "The domain shop.example.com is already in use by another app").await;
    check_refused("deis.example.com", "The domain deis.example.com is already in use by another app").await;
}

#[tokio::test]
async fn the_platforms_own_names_are_nobodys() {
    let of_others = async |domain: &str| {
        check_refused(domain, &format!("The domain {domain} is already in use by another app")).await;
    };
    for domain in ["*.example.com", "*.deis.example.com", "a.DEIS.example.com", "*.shop.example.com"] {
        of_others(domain).await;
    }
}

#[tokio::test]
async fn a_wildcard_takes_no_visitors_of_other_users() {
    let overlaps = |domain: &str, other: &str| {
        format!("The domain {domain} overlaps with {other}, which another user's app has")
    };
    check_refused("*.shop.com", "The domain *.shop.com is already in use by another app").await;
    check_refused("a.b.shop.com", &overlaps("a.b.shop.com", "*.shop.com")).await;
    let platform = Platform::start().await.with_app().await;
    for domain in
        ["*.example.org", "www.example.org", "*.a.example.org", "*.blog.example.com", "b\u{fc}cher.net"]
    {
        let body = serde_json::json!({ "domain": domain }).to_string();
        platform.check("bob", "POST /v1/apps/blog/domains/", &body, 201, "…").await;
    }
    platform.check("bob", "DELETE /v1/apps/blog/domains/*.example.org", "", 204, "").await;
    platform.check("bob", "DELETE /v1/apps/blog/domains/xn--bcher-kva.net", "", 204, "").await;
    let listed = platform.call("bob", "GET /v1/apps/blog/domains/", "").await.json();
    assert_eq!(listed["results"][0]["domain"], "*.a.example.org");
}

#[tokio::test]
async fn collaborators_add_domains_but_do_not_remove_them() {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/blog/perms/", r#"{"username": "eve"}"#, 201, "").await;
    let added =
        platform.check("eve", "POST /v1/apps/blog/domains/", r#"{"domain": "a.com"}"#, 201, "…").await;
    assert_eq!(added.json()["owner"], "eve");
    platform.check("eve", "DELETE /v1/apps/blog/domains/a.com", "", 403, "…").await;
    platform.check("ann", "DELETE /v1/apps/blog/domains/a.com", "", 204, "").await;
}

#[tokio::test]
async fn a_domain_is_known_to_routers_while_another_release_is_on_its_way() {
    let platform = Arc::new(Platform::start().await.with_build().await);
    platform.deploys.hold(true);
    let call = |call: &'static str, body: &'static str| {
        let platform = Arc::clone(&platform);
        tokio::spawn(async move { platform.check("bob", call, body, 201, "…").await })
    };
    let awaits = async |version: &str| {
        let is_awaited = || platform.deploys.awaited().last().is_some_and(|last| last.to_string() == version);
        let wait = async {
            while !is_awaited() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it is waited for");
    };
    let released = call("POST /v1/apps/blog/config/", r#"{"values": {"A": "1"}}"#);
    awaits("v3").await;
    let added = call("POST /v1/apps/blog/domains/", r#"{"domain": "a.com"}"#);
    awaits("v2").await;
    platform.deploys.hold(false);
    added.await.unwrap();
    released.await.unwrap();
}
