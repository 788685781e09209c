//! What requests are compared by that take different ways.

use tokio::io::AsyncWriteExt;

use super::{App, Scene, read_head};

/// Answers of every form, and whether the app closes its connection then. Bodies that begin badly are none of these: over the
/// long way their head is out by then.
pub(crate) const FORMS: &[(&str, bool)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
    ("HTTP/1.1 200 All right\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2, 2\r\n\r\nhi", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;a=b\r\n ho\r\n0\r\n\r\n", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
        false,
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", false),
    ("HTTP/1.1 200 OK\r\n\r\nuntil the end", true),
    ("HTTP/1.1 200 OK\r\n\r\n", true),
    ("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end", true),
    ("HTTP/1.1 204 No Content\r\n\r\n", false),
    ("HTTP/1.1 304 Not Modified\r\nEtag: \"1\"\r\n\r\n", false),
    ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false),
    (
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
        false,
    ),
    (
        "HTTP/1.1 200 OK\r\nConnection: x-mine\r\nX-Mine: 1\r\nUpgrade: h2c\r\nTE: a\r\nContent-Length: 0\r\n\r\n",
        false,
    ),
    ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", true),
    ("not HTTP at all\r\n\r\n", true),
    ("", true),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", true),
];

/// What differs from request to request.
const PASSING: [&str; 3] = ["date", "x-request-id", "x-request-start"];

/// Whether a line of a head, or of a page, differs from request to request.
pub(crate) fn is_passing(line: &str) -> bool {
    let is_id = line.starts_with("request: ") || line.contains("\"request_id\"");
    is_id || PASSING.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(": ")))
}

/// A scene whose requests all take one way, with an app at `blog.example.com`.
pub(crate) async fn scene(short: bool) -> (Scene, App) {
    let scene = Scene::with(|config| config.short_way = short).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    (scene, app)
}

/// An app that answers every request with the same bytes, and then closes if `closes`.
pub(crate) async fn fixed(text: &'static str, closes: bool) -> App {
    App::raw(move |_, mut stream| async move {
        while read_head(&mut stream).await.is_some() {
            let _ = stream.write_all(text.as_bytes()).await;
            if closes {
                break;
            }
        }
    })
    .await
}
