//! Requests whose end could be read in two ways are refused, whatever stands before them on the connection.

use crate::support::{App, Scene};

/// What ends in one place for some and in another for others: what is odd about it, and all of it.
pub(crate) fn cases() -> [(&'static str, String); 14] {
    let host = "Host: blog.example.com\r\n";
    [
        (
            "both lengths",
            format!(
                "POST / HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "both, encoding first",
            format!(
                "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
        ),
        ("signed length", format!("POST / HTTP/1.1\r\n{host}Content-Length: +2\r\n\r\nab")),
        (
            "identity, chunked",
            format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "space before colon",
            format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ),
        ("xchunked", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        ("chunked in 1.0", format!("POST / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}{host}\r\n")),
        ("no host", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n".to_owned()),
        ("folded", format!("GET / HTTP/1.1\r\n{host}Accept: a\r\n b\r\n\r\n")),
        ("bare line feeds", "GET / HTTP/1.1\nHost: blog.example.com\n\n".to_owned()),
        ("bad host", "GET / HTTP/1.1\r\nHost: blog.example.com/x\r\n\r\n".to_owned()),
        ("CONNECT", format!("CONNECT blog.example.com:80 HTTP/1.1\r\n{host}\r\n")),
    ]
}

#[tokio::test]
async fn ambiguous_requests_get_400_and_never_reach_an_app() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let host = "Host: blog.example.com\r\n";
    for (name, request) in cases() {
        let status = if name == "identity, chunked" { 501 } else { 400 };
        let mut client = scene.client().await;
        client.send(&request).await;
        assert_eq!(client.head().await.unwrap().status, status, "{name}");
        let mut client = scene.client().await;
        client.send(format!("GET / HTTP/1.1\r\n{host}\r\n{request}")).await;
        assert_eq!(client.answer().await.text(), "blog", "before {name}");
        assert_eq!(client.head().await.unwrap().status, status, "{name} as the second");
    }
    assert_eq!(app.requests(), 14);
}

#[tokio::test]
async fn a_refused_connection_is_closed() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\nGET /").await;
    let head = client.head().await.unwrap();
    assert_eq!((head.status, head.header("connection")), (400, Some("close")));
}
