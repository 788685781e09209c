//! What all answers have in common.

use axum::body::Body;
use axum::http::Request;

use super::platform::Platform;

async fn check(who: &str, call: &str, body: &str, phrase: &str, expected: &str) {
    let platform = Platform::start().await.with_app().await;
    let status = phrase.split(' ').next().unwrap().parse().unwrap();
    let answer = platform.check(who, call, body, status, expected).await;
    assert_eq!(format!("{status} {}", answer.phrase), phrase, "{call}");
    for (name, value) in [
        ("DEIS_API_VERSION", "1.7"),
        ("X_DEIS_API_VERSION", "1.7"),
        ("DEIS_PLATFORM_VERSION", "1.13.4"),
        ("X_DEIS_PLATFORM_VERSION", "1.13.4"),
        ("Access-Control-Allow-Origin", "*"),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {call}");
    }
    let content_type = if answer.body.is_empty() { "" } else { "application/json" };
    assert_eq!(answer.header("content-type"), content_type, "{call}");
}

#[tokio::test]
async fn every_answer_has_version_headers_and_a_phrase_in_capitals() {
    let not_allowed = r#"{"detail":"Method 'PUT' not allowed."}"#;
    let not_found = r#"{"detail":"Not found"}"#;
    let forbidden = r#"{"detail":"You do not have permission to perform this action."}"#;
    check("bob", "GET /v1/", "", "200 OK", "{}").await;
    check("bob", "POST /v1/apps/", "", "201 CREATED", "…").await;
    check("bob", "POST /v1/apps/blog/", "", "200 OK", "").await;
    check("bob", "DELETE /v1/apps/blog/", "", "204 NO CONTENT", "").await;
    check("bob", "PUT /v1/apps/blog/", "", "405 METHOD NOT ALLOWED", not_allowed).await;
    check("bob", "PATCH /v1/apps/blog", "", "405 METHOD NOT ALLOWED", "…").await;
    check("bob", "GET /v1/apps/shop/", "", "404 NOT FOUND", not_found).await;
    check("bob", "GET /v1/nonsense", "", "404 NOT FOUND", not_found).await;
    check("eve", "GET /v1/apps/blog/", "", "403 FORBIDDEN", forbidden).await;
    check("bob", "POST /v1/apps/", "{", "400 BAD REQUEST", r#"{"detail":"JSON parse error - …"#).await;
}

#[tokio::test]
async fn credentials_are_refused_with_the_reason() {
    let platform = Platform::start().await;
    let cases = [
        ("", "Authentication credentials were not provided."),
        ("Basic abc", "Authentication credentials were not provided."),
        ("token", "Invalid token header. No credentials provided."),
        ("token a b", "Invalid token header. Token string should not contain spaces."),
        ("token nobody", "Invalid token"),
    ];
    for (header, expected) in cases {
        let request = Request::get("/v1/").header("authorization", header).body(Body::empty()).unwrap();
        let answer = platform.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.phrase.as_str()), (401, "UNAUTHORIZED"), "{header:?}");
        assert_eq!(answer.json()["detail"], expected, "{header:?}");
        assert_eq!(answer.header("www-authenticate"), "Token");
    }
    platform
        .check("", "GET /v1/", "", 401, r#"{"detail":"Authentication credentials were not provided."}"#)
        .await;
    let request = Request::get("/v1/").header("authorization", "TOKEN bob").body(Body::empty()).unwrap();
    assert_eq!(platform.send(request).await.status, 200, "the keyword's case does not matter");
}

#[tokio::test]
async fn other_major_versions_are_refused() {
    let platform = Platform::start().await;
    for (name, version, status) in
        [("DEIS_VERSION", "2", 405), ("Deis-Version", "0", 405), ("Deis-Version", "1", 200)]
    {
        let request = Request::get("/v1/").header("authorization", "token bob").header(name, version);
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {version}");
        if status == 405 {
            let expected = "Client and server versions do not match. Client version: ";
            assert!(answer.json()["error"].as_str().unwrap().starts_with(expected));
            assert_eq!(answer.header("DEIS_API_VERSION"), "1.7");
        }
    }
}

#[tokio::test]
async fn slashes_at_the_end_are_optional_and_never_redirected() {
    let platform = Platform::start().await.with_build().await;
    for path in
        ["/v1", "/v1/apps", "/v1/apps/blog", "/v1/apps/blog/config", "/v1/apps/blog/releases/v1", "/v1/keys"]
    {
        for path in [path.to_owned(), format!("{path}/")] {
            platform.check("bob", &format!("GET {path}"), "", 200, "…").await;
        }
    }
}

#[tokio::test]
async fn healthz_answers_get_and_head() {
    let platform = Platform::start().await;
    platform.check("", "GET /healthz", "", 200, "OK").await;
    platform.check("", "HEAD /healthz", "", 200, "").await;
    platform.check("", "POST /healthz", "", 405, "…").await;
}

#[tokio::test]
async fn browsers_may_call_from_anywhere() {
    let platform = Platform::start().await;
    let request = Request::options("/v1/apps/").header("access-control-request-method", "POST");
    let answer =
        platform.send(request.header("origin", "http://dash.example.com").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("access-control-allow-headers").contains("Authorization"));
    assert!(answer.header("access-control-expose-headers").contains("DEIS_API_VERSION"));
}

#[tokio::test]
async fn bodies_may_be_forms_but_not_anything() {
    let platform = Platform::start().await;
    let create = async |media_type: &str, body: &str| {
        let request = Request::post("/v1/apps/")
            .header("authorization", "token bob")
            .header("content-type", media_type);
        platform.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    assert_eq!(create("application/x-www-form-urlencoded", "id=from-form").await.json()["id"], "from-form");
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nfrom-parts\r\n--x--\r\n";
    assert_eq!(create("multipart/form-data; boundary=x", multipart).await.json()["id"], "from-parts");
    let refused = create("text/xml", "<id/>").await;
    assert_eq!((refused.status.as_u16(), refused.phrase.as_str()), (415, "UNSUPPORTED MEDIA TYPE"));
    assert_eq!(refused.json()["detail"], "Unsupported media type 'text/xml' in request.");
    assert_eq!(create("application/json", "[]").await.status, 400);
}
