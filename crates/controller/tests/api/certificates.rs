//! Certificates: uploaded, checked, shown without what they are made of, removed.

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::platform::{Answer, Platform};

/// A certificate for `names` that is called `common_name`, valid for `days`, and its key.
fn pair(common_name: &str, names: &[&str], days: i64) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = OffsetDateTime::UNIX_EPOCH;
    params.not_after = OffsetDateTime::now_utc() + Duration::days(days);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn body((certificate, key): &(String, String), name: Option<&str>) -> String {
    let mut body = json!({"certificate": certificate, "key": key});
    if let Some(name) = name {
        body["common_name"] = name.into();
    }
    body.to_string()
}

async fn add(platform: &Platform, who: &str, body: &str, status: u16, expected: &str) -> Answer {
    platform.check(who, "POST /v1/certs/", body, status, expected).await
}

#[tokio::test]
async fn a_certificate_is_shown_without_what_it_is_made_of() {
    let platform = Platform::start().await;
    let pair = pair("www.example.org", &["www.example.org", "*.example.org"], 30);
    let added = add(&platform, "bob", &body(&pair, None), 201, "…").await.json();
    let keys: Vec<&String> = added.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["common_name", "created", "expires", "id", "names", "owner", "updated"]);
    assert_eq!((&added["common_name"], &added["owner"]), (&json!("www.example.org"), &json!("bob")));
    assert_eq!((&added["names"], added["id"].is_i64()), (&json!(["*.example.org", "www.example.org"]), true));
    assert!(added["expires"].as_str().unwrap().ends_with("UTC"));
    let page = platform.check("bob", "GET /v1/certs", "", 200, "…").await.json();
    assert_eq!((&page["count"], &page["results"][0]), (&json!(1), &added));
    let shown = platform.check("bob", "GET /v1/certs/www.example.org", "", 200, "…").await.json();
    assert_eq!(shown, added);
}

#[tokio::test]
async fn nobody_reads_keys_from_the_database() {
    let platform = Platform::start().await.with_app().await;
    let pair = pair("blog.example.com", &["blog.example.com"], 30);
    add(&platform, "bob", &body(&pair, None), 201, "…").await;
    let app = deis_model::AppId::parse("blog").unwrap();
    let kept = platform.database.sealed_pairs(&app, &["blog.example.com".to_owned()]).await.unwrap();
    assert_eq!((kept.len(), kept[0].chain == pair.0), (1, true));
    assert!(!kept[0].sealed_key.contains(pair.1.lines().nth(1).unwrap()));
}

#[tokio::test]
async fn what_could_not_be_served_is_refused_with_the_reason() {
    let platform = Platform::start().await;
    let required = r#"{"certificate":["This field is required."],"key":["This field is required."]}"#;
    add(&platform, "bob", "", 400, required).await;
    let (one, other) = (pair("one.org", &["one.org"], 30), pair("two.org", &["two.org"], 30));
    let mixed = (one.0.clone(), other.1.clone());
    let told = r#"{"key":["The key does not belong to the certificate CN=one.org."]}"#;
    add(&platform, "bob", &body(&mixed, None), 400, told).await;
    let garbage = ("hello".to_owned(), one.1.clone());
    let told = r#"{"certificate":["Could not load certificate: …"#;
    add(&platform, "bob", &body(&garbage, None), 400, told).await;
    let old = pair("old.org", &["old.org"], -1);
    add(
        &platform,
        "bob",
        &body(&old, None),
        400,
        r#"{"certificate":["The certificate CN=old.org expired on …"#,
    )
    .await;
    assert_eq!(platform.call("bob", "GET /v1/certs/", "").await.json()["count"], 0);
}

#[tokio::test]
async fn a_name_is_given_or_taken_from_the_certificate_and_unique() {
    let platform = Platform::start().await;
    let pair = pair("www.example.org", &["www.example.org"], 30);
    add(&platform, "bob", &body(&pair, None), 201, "…").await;
    let taken = r#"{"common_name":["This field must be unique."]}"#;
    add(&platform, "bob", &body(&pair, None), 400, taken).await;
    add(&platform, "eve", &body(&pair, Some("www.example.org")), 400, taken).await;
    let other = add(&platform, "bob", &body(&pair, Some("*.shop.org")), 201, "…").await.json();
    assert_eq!(other["names"], json!(["www.example.org"]), "what it is called is not what it is for");
    let long = r#"{"common_name":["Ensure this field has no more than 255 characters."]}"#;
    add(&platform, "bob", &body(&pair, Some(&"a".repeat(256))), 400, long).await;
    add(&platform, "bob", &body(&pair, Some("a/b")), 400, r#"{"common_name":["…"#).await;
}

#[tokio::test]
async fn a_certificate_is_not_called_like_a_domain_that_it_is_not_for() {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/blog/domains/", r#"{"domain": "www.shop.org"}"#, 201, "…").await;
    let other = pair("www.example.org", &["www.example.org"], 30);
    let told =
        r#"{"common_name":["The certificate is not for WWW.shop.org: visitors would not believe it."]}"#;
    add(&platform, "bob", &body(&other, Some("WWW.shop.org")), 400, told).await;
    let wild = pair("*.shop.org", &["*.shop.org"], 30);
    add(&platform, "bob", &body(&wild, Some("www.shop.org")), 201, "…").await;
}

#[tokio::test]
async fn automatic_certificates_are_listed_after_those_that_were_uploaded() {
    let platform = Platform::start().await.with_app().await;
    for domain in ["www.shop.org", "slow.shop.org"] {
        let domain = json!({ "domain": domain }).to_string();
        platform.check("bob", "POST /v1/apps/blog/domains/", &domain, 201, "…").await;
    }
    add(&platform, "bob", &body(&pair("z.org", &["z.org"], 30), None), 201, "…").await;
    assert_eq!(platform.call("bob", "GET /v1/certs/", "").await.json()["count"], 1, "none is to be had");
    let on = [("acme/enabled", "on"), ("acme/email", "ops@example.com")];
    let on = on.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    platform.database.change_settings("router", &on.into()).await.unwrap();
    let now = OffsetDateTime::now_utc();
    platform.database.begin_acme_order("www.shop.org", "https://ca", now).await.unwrap();
    platform
        .database
        .fail_acme_order("www.shop.org", 1, now + Duration::hours(1), "no such host", "example.com")
        .await
        .unwrap();
    let page = platform.check("bob", "GET /v1/certs/", "", 200, "…").await.json();
    assert_eq!(page["count"], 3);
    let rows: Vec<_> = page["results"].as_array().unwrap().iter().collect();
    let names: Vec<_> = rows.iter().map(|row| row["common_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["z.org", "slow.shop.org", "www.shop.org"]);
    assert_eq!((&rows[0]["automatic"], &rows[1]["automatic"]["state"]), (&Value::Null, &json!("waiting")));
    let failed = &rows[2]["automatic"];
    assert_eq!((&failed["state"], &failed["app"]), (&json!("failed"), &json!("blog")));
    assert_eq!((&failed["problem"], failed["next"].is_string()), (&json!("no such host"), true));
    let second = platform.check("bob", "GET /v1/certs/?page_size=2&page=2", "", 200, "…").await.json();
    assert_eq!((&second["results"][0], second["results"].as_array().unwrap().len()), (rows[2], 1));
    let shown = platform.check("bob", "GET /v1/certs/WWW.shop.org", "", 200, "…").await.json();
    assert_eq!(&shown, rows[2]);
    platform.check("eve", "GET /v1/certs/www.shop.org", "", 404, "…").await;
}

#[tokio::test]
async fn certificates_are_nobody_elses_business() {
    let platform = Platform::start().await;
    add(&platform, "bob", &body(&pair("*.example.org", &["*.example.org"], 30), None), 201, "…").await;
    for who in ["eve", "ann"] {
        assert_eq!(platform.call(who, "GET /v1/certs/", "").await.json()["count"], 0);
        platform.check(who, "GET /v1/certs/*.example.org", "", 404, r#"{"detail":"Not found"}"#).await;
        platform.check(who, "DELETE /v1/certs/*.example.org", "", 404, "…").await;
    }
    platform.check("", "GET /v1/certs/", "", 401, "…").await;
    platform.check("bob", "DELETE /v1/certs/%2A.example.org", "", 204, "").await;
    platform.check("bob", "DELETE /v1/certs/*.example.org", "", 404, "…").await;
}

/// The names of the certificates that serve `app` at `hosts`.
async fn serving(platform: &Platform, app: &str, hosts: &[&str]) -> Vec<String> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let app = deis_model::AppId::parse(app).unwrap();
    let pairs = platform.database.sealed_pairs(&app, &hosts).await.unwrap();
    pairs.into_iter().map(|pair| pair.common_name).collect()
}

#[tokio::test]
async fn a_certificate_serves_apps_on_which_its_owner_may_work() {
    let platform = Platform::start().await.with_app().await;
    for (who, name, names, days) in [
        ("bob", "exact", vec!["www.example.org"], 10),
        ("bob", "wild", vec!["*.example.org"], 20),
        ("ann", "admin", vec!["www.example.org"], 30),
        ("eve", "stranger", vec!["www.example.org"], 40),
        ("bob", "other", vec!["www.example.net"], 50),
    ] {
        add(&platform, who, &body(&pair(name, &names, days), None), 201, "…").await;
    }
    let www = ["blog.example.com", "www.example.org"];
    assert_eq!(serving(&platform, "blog", &www).await, ["admin", "wild", "exact"]);
    assert_eq!(serving(&platform, "blog", &["*.example.org"]).await, ["admin", "wild", "exact"]);
    assert!(serving(&platform, "blog", &["a.b.example.org"]).await.is_empty());
    platform.check("bob", "POST /v1/apps/blog/perms/", r#"{"username": "eve"}"#, 201, "").await;
    assert_eq!(serving(&platform, "blog", &www).await[0], "stranger");
}

/// How often something changed that routes of bob's two apps are made from, releases and domains aside.
async fn revisions(platform: &Platform) -> [i64; 2] {
    let mut found = [0; 2];
    for (revision, app) in found.iter_mut().zip(["blog", "shop"]) {
        let app = deis_model::AppId::parse(app).unwrap();
        *revision = platform.database.desired(&app).await.unwrap().unwrap().routing;
    }
    found
}

#[tokio::test]
async fn a_change_concerns_only_apps_that_are_served() {
    let platform = Platform::start().await.with_app().await;
    platform.check("bob", "POST /v1/apps/", r#"{"id": "shop"}"#, 201, "…").await;
    platform.check("bob", "POST /v1/apps/shop/domains/", r#"{"domain": "www.shop.org"}"#, 201, "…").await;
    let change = async |who: &str, names: &[&str]| {
        let before = revisions(&platform).await;
        let (name, body) = (names[0], body(&pair(names[0], names, 30), None));
        add(&platform, who, &body, 201, "…").await;
        platform.check(who, &format!("DELETE /v1/certs/{name}"), "", 204, "").await;
        let after = revisions(&platform).await;
        [after[0] - before[0], after[1] - before[1]]
    };
    assert_eq!(change("bob", &["www.shop.org"]).await, [0, 2]);
    assert_eq!(change("bob", &["*.shop.org"]).await, [0, 2]);
    assert_eq!(change("bob", &["blog.example.com"]).await, [2, 0]);
    assert_eq!(change("bob", &["*.example.com"]).await, [2, 2]);
    assert_eq!(change("bob", &["a.www.shop.org", "shop.org"]).await, [0, 0]);
    assert_eq!(change("eve", &["*.example.com", "www.shop.org"]).await, [0, 0]);
    let _: Value = platform.call("bob", "GET /v1/certs/", "").await.json();
}
