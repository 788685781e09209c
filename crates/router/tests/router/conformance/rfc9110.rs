//! RFC 9110, the meaning of messages: hosts, fields that end at a proxy, expectations, bodies that are not there.

use tokio::io::AsyncWriteExt;

use super::{Case, HOST, Passed, Then, check, passed_with};
use crate::support::{App, Scene, read_head};

/// A request with these fields.
fn with(fields: &str) -> String {
    format!("GET /in HTTP/1.1\r\n{HOST}{fields}\r\n\r\n")
}

/// A request for this host.
fn at(host: &str) -> String {
    format!("GET /in HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

fn in_with(has: &'static [&'static str], lacks: &'static [&'static str]) -> Passed {
    Passed { line: "GET /in HTTP/1.1", has, lacks, body: "" }
}

#[tokio::test]
async fn hosts_are_read_in_one_way() {
    let other = |name, host| Case { name, sent: at(host), then: Then::Answered(404) };
    let wrong = |name, host| Case { name, sent: at(host), then: Then::Answered(400) };
    check([
        passed_with(
            "7.2: a port",
            at("blog.example.com:8080"),
            in_with(&["host: blog.example.com:8080"], &[]),
        ),
        passed_with(
            "7.2: an empty port",
            at("blog.example.com:"),
            in_with(&["host: blog.example.com:"], &[]),
        ),
        passed_with("4.2.3: another case", at("BLOG.Example.com"), in_with(&["host: BLOG.Example.com"], &[])),
        passed_with(
            "7.2: space around",
            at(" \t blog.example.com \t"),
            in_with(&["host: blog.example.com"], &[]),
        ),
        other("7.2: no host in the field", ""),
        other("7.2: an address of IPv6", "[::1]:80"),
        other("7.2: an address of IPv4", "127.0.0.1"),
        wrong("4.2.4: a user", "me@blog.example.com"),
        wrong("7.2: a port that is none", "blog.example.com:+80"),
        wrong("7.2: two ports", "blog.example.com:80:80"),
        wrong("7.2: two hosts", "blog.example.com, other.example.com"),
        wrong("7.2: a path", "blog.example.com/"),
        wrong("7.2: a fragment", "blog.example.com#"),
        wrong("7.2: a space", "blog.example.com other"),
        wrong("7.2: an address without brackets", "::1"),
        wrong("7.2: an address without an end", "[::1"),
        wrong("7.2: something behind an address", "[::1]x"),
    ])
    .await;
}

#[tokio::test]
async fn fields_of_one_connection_end_here() {
    check([
        passed_with(
            "7.6.1: what Connection names",
            with("Connection: X-One, keep-alive ,\tX-Two,,\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3"),
            in_with(&["x-three: 3"], &["x-one", "x-two", "connection"]),
        ),
        passed_with(
            "7.6.1: in two fields",
            with("Connection: X-One\r\nX-One: 1\r\nX-Two: 2\r\nConnection: x-two"),
            in_with(&[], &["x-one", "x-two", "connection"]),
        ),
        passed_with(
            "7.6.1: known ones that nobody names",
            with("Keep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: x"),
            in_with(&[], &["keep-alive", "proxy-connection", "te:", "upgrade"]),
        ),
        passed_with(
            "7.6.1: what a message needs cannot be named away",
            format!(
                "POST /in HTTP/1.1\r\n{HOST}Connection: Content-Length, Host, X-Forwarded-For, X-Request-Id\r\n\
                 Content-Length: 2\r\n\r\nhi"
            ),
            Passed {
                line: "POST /in HTTP/1.1",
                has: &["content-length: 2", "host: blog.example.com"],
                lacks: &["connection"],
                body: "hi",
            },
        ),
        passed_with(
            "7.6.1: nor the end of a body in chunks",
            format!(
                "POST /in HTTP/1.1\r\n{HOST}Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2\r\nhi\r\n0\r\n\r\n"
            ),
            Passed { line: "POST /in HTTP/1.1", has: &["transfer-encoding: chunked"], lacks: &[], body: "hi" },
        ),
        passed_with(
            "10.1.4: trailers are taken",
            with("TE: trailers\r\nConnection: TE"),
            in_with(&["te: trailers"], &["connection"]),
        ),
        Case {
            name: "9112 9.6: the client's close is not the app's",
            sent: with("Connection: close"),
            then: Then::Last(in_with(&[], &["connection"])),
        },
        passed_with(
            "7.6.3: this router joins a Via that came",
            with("Via: 1.0 fred"),
            in_with(&["via: 1.0 fred", "via: 1.1 deis"], &[]),
        ),
        passed_with("7.6.3: this router is told of", with("X-A: b"), in_with(&["via: 1.1 deis"], &[])),
        passed_with(
            "7.6.3: HTTP/1.0",
            format!("GET /in HTTP/1.0\r\n{HOST}Connection: keep-alive\r\n\r\n"),
            in_with(&["via: 1.0 deis"], &[]),
        ),
        Case {
            name: "7.6.3: a circle",
            sent: with(&["1.1 deis"; 10].join(", ").replacen("1.1", "Via: 1.1", 1)),
            then: Then::Answered(508),
        },
    ])
    .await;
}

#[tokio::test]
async fn other_fields_pass_as_they_are() {
    check([
        passed_with(
            "5.3: fields of one name",
            with("X-A: 1\r\nX-A: 2\r\nX-B: 3\r\nX-A: 1"),
            in_with(&["x-a: 1", "x-a: 2", "x-b: 3"], &[]),
        ),
        passed_with("5.5: nothing in a field", with("X-A:\r\nX-B: \t"), in_with(&["x-a: ", "x-b: "], &[])),
        passed_with("5.5: space in a value", with("X-A: \t a \t b \t"), in_with(&["x-a: a \t b"], &[])),
        passed_with("5.5: other scripts", with("X-A: blög"), in_with(&["x-a: blög"], &[])),
        passed_with(
            "5.6.2: every mark of a token",
            with("!#$%&'*+-.^_`|~1a: b"),
            in_with(&["!#$%&'*+-.^_`|~1a: b"], &[]),
        ),
        passed_with(
            "11.7.2: what is for a proxy that asks for it",
            with("Proxy-Authorization: Basic x\r\nAuthorization: Basic y"),
            in_with(&["authorization: Basic y"], &[]),
        ),
        passed_with(
            "9.1: methods that nobody knows",
            format!("M-SEARCH /in HTTP/1.1\r\n{HOST}\r\n"),
            Passed { line: "M-SEARCH /in HTTP/1.1", ..Passed::default() },
        ),
        passed_with(
            "9.1: methods have a case",
            format!("get /in HTTP/1.1\r\n{HOST}\r\n"),
            Passed { line: "get /in HTTP/1.1", ..Passed::default() },
        ),
        passed_with(
            "9.3.1: a body of GET",
            format!("GET /in HTTP/1.1\r\n{HOST}Content-Length: 2\r\n\r\nhi"),
            Passed { line: "GET /in HTTP/1.1", has: &["content-length: 2"], lacks: &[], body: "hi" },
        ),
        passed_with(
            "9.3.2: HEAD",
            format!("HEAD /in HTTP/1.1\r\n{HOST}\r\n"),
            Passed { line: "HEAD /in HTTP/1.1", ..Passed::default() },
        ),
        Case {
            name: "9.3.8: TRACE, which is traced for nobody",
            sent: format!("TRACE /in HTTP/1.1\r\n{HOST}\r\n"),
            then: Then::Answered(501),
        },
        Case {
            name: "7.6.2: OPTIONS that may not be passed on",
            sent: format!("OPTIONS * HTTP/1.1\r\n{HOST}Max-Forwards: 0\r\n\r\n"),
            then: Then::Answered(200),
        },
        passed_with(
            "7.6.2: OPTIONS that may",
            format!("OPTIONS /in HTTP/1.1\r\n{HOST}Max-Forwards: 7\r\n\r\n"),
            Passed { line: "OPTIONS /in HTTP/1.1", has: &["max-forwards: 6"], ..Passed::default() },
        ),
        passed_with(
            "7.6.2: other methods are not counted",
            format!("GET /in HTTP/1.1\r\n{HOST}Max-Forwards: 0\r\n\r\n"),
            Passed { line: "GET /in HTTP/1.1", has: &["max-forwards: 0"], ..Passed::default() },
        ),
        Case {
            name: "9.3.6: CONNECT, after which the connection is still one of HTTP",
            sent: format!("CONNECT blog.example.com:80 HTTP/1.1\r\n{HOST}\r\n"),
            then: Then::Answered(400),
        },
    ])
    .await;
}

#[tokio::test]
async fn expectations_end_here() {
    let post = |version: &str, expect: &str, body: &str| {
        format!("POST /in HTTP/{version}\r\n{HOST}Content-Length: 2\r\nExpect: {expect}\r\n\r\n{body}")
    };
    let whole = || Passed { line: "POST /in HTTP/1.1", has: &[], lacks: &["expect"], body: "hi" };
    check([
        // 417 is for those who mind; this router does not.
        passed_with("10.1.1: an unknown expectation", post("1.1", "tea", "hi"), whole()),
        Case {
            name: "10.1.1: HTTP/1.0 expects nothing",
            sent: post("1.0", "100-continue", "hi"),
            then: Then::Last(whole()),
        },
    ])
    .await;
}

#[tokio::test]
async fn a_client_of_http_1_0_is_kept_only_if_it_asks() {
    let get = |fields: &str| format!("GET /in HTTP/1.0\r\n{HOST}{fields}\r\n");
    check([
        Case { name: "9112 9.3: not asked", sent: get(""), then: Then::Last(in_with(&[], &["connection"])) },
        passed_with(
            "9112 9.3: asked",
            get("Connection: keep-alive\r\n"),
            in_with(&[], &["connection", "keep-alive"]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn answers_without_a_body_have_none_whatever_they_say() {
    let scene = Scene::new().await;
    for (name, method, text, length) in [
        ("9.3.2: a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Some("5")),
        ("9.3.2: chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        ("9.3.2: neither", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", None),
        ("15.4.5: a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Some("5")),
        ("15.4.5: none", "GET", "HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n", None),
        (
            "8.6: a length that must not be",
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            None,
        ),
    ] {
        let app = App::raw(move |_, mut stream| async move {
            while read_head(&mut stream).await.is_some() {
                let _ = stream.write_all(text.as_bytes()).await;
            }
        })
        .await;
        scene.route("blog", 2, &[&app]).await;
        let mut client = scene.client().await;
        // Were there a body, the second answer would not begin where the first head ends.
        for _ in 0..2 {
            client.send(format!("{method} / HTTP/1.1\r\n{HOST}\r\n")).await;
            let head = client.head().await.unwrap_or_else(|| panic!("{name}: no answer"));
            // That of 304 is optional: the library leaves it out.
            let told = head.header("content-length").or(length.filter(|_| head.status == 304));
            assert_eq!(told, length, "{name}: {head:?}");
            assert!(text.contains(&head.status.to_string()), "{name}: {head:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_wanted_passes() {
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let answer = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    // 9110 10.1.1, 9112 9.3: the client still has all of its body.
    let mut client = scene.client().await;
    client.send(format!("POST / HTTP/1.1\r\n{HOST}Content-Length: 100000\r\n\r\n")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (403, "no"));
}
