//! RFC 9112 and 9110 on answers: which an app may give, and what becomes of others.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use http::Method;
use tokio::io::AsyncWriteExt;

use super::HOST;
use crate::support::h2::{H2, request};
use crate::support::{App, Scene, read_head, respond};

/// What the visitor gets.
enum Seen {
    /// A page that says that the app's answer is none.
    Page,
    /// No whole answer: no status, or a body without an end.
    Broken,
    /// This status, fields that are there, ones that are not, and this body.
    Passed(u16, &'static [(&'static str, &'static str)], &'static [&'static str], &'static str),
}

/// One answer: what is at stake, what the app says, whether it closes then.
struct Case(&'static str, String, bool, Seen);

/// Plays `case` with an app of its own. Whatever cannot be believed, its connection carries no other request.
async fn check(scene: &Scene, case: Case) {
    let Case(name, text, closes, expected) = case;
    let spoilt = Arc::<Mutex<Vec<usize>>>::default();
    let app = App::raw({
        let spoilt = Arc::clone(&spoilt);
        move |number, mut stream| {
            let (text, spoilt) = (text.clone(), Arc::clone(&spoilt));
            async move {
                while let Some(head) = read_head(&mut stream).await {
                    if head.contains(" /good ") {
                        respond(&mut stream, &number.to_string()).await;
                        continue;
                    }
                    spoilt.lock().unwrap().push(number);
                    let _ = stream.write_all(text.as_bytes()).await;
                    if closes {
                        break;
                    }
                }
            }
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send("GET /case HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    let answer = client.try_answer().await;
    let is_believed = matches!(expected, Seen::Passed(..));
    match expected {
        Seen::Page => assert_eq!(answer.map(|answer| answer.status), Some(502), "{name}"),
        Seen::Broken => assert!(answer.is_none_or(|answer| answer.status == 502), "{name}"),
        Seen::Passed(status, has, lacks, body) => {
            let answer = answer.unwrap_or_else(|| panic!("{name}: no answer"));
            assert_eq!((answer.status, answer.text()), (status, body), "{name}: {answer:?}");
            for (field, value) in has {
                assert_eq!(answer.header(field), Some(*value), "{name}: {answer:?}");
            }
            for field in lacks {
                assert_eq!(answer.header(field), None, "{name}: {answer:?}");
            }
        }
    }
    for _ in 0..3 {
        let answer = scene.get("blog", "/good").await;
        assert_eq!(answer.status, 200, "{name}");
        let number: usize = answer.text().parse().unwrap();
        assert!(is_believed || !spoilt.lock().unwrap().contains(&number), "{name}: the link is used again");
    }
}

async fn check_all(cases: impl IntoIterator<Item = Case>) {
    let (scene, mut failed) = (Scene::new().await, Vec::new());
    for case in cases {
        let name = case.0;
        let checked = AssertUnwindSafe(check(&scene, case)).catch_unwind().await;
        failed.extend(checked.is_err().then_some(name));
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// An answer with these fields and `hi`.
fn ok(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhi")
}

fn page(name: &'static str, text: impl Into<String>) -> Case {
    // It stays open: that the connection is not used again must be the router's doing.
    Case(name, text.into(), false, Seen::Page)
}

#[tokio::test]
async fn answers_that_cannot_be_believed_become_502_and_end_their_connection() {
    let long = "x".repeat(128 * 1024);
    let many: String = (0..150).map(|number| format!("X-{number}: a\r\n")).collect();
    check_all([
        page("9112 6.3: two lengths", ok("Content-Length: 2\r\nContent-Length: 3")),
        page("9112 6.3: a signed length", ok("Content-Length: +2")),
        page("9112 6.3: a length that is none", ok("Content-Length: two")),
        page("9112 6.3: no length in the field", ok("Content-Length:")),
        page("9112 6.1: another coding", ok("Transfer-Encoding: gzip, chunked")),
        page("9112 6.1: chunked is not the last", ok("Transfer-Encoding: chunked, gzip")),
        page("9112 6.1: an unknown coding", ok("Transfer-Encoding: xchunked")),
        page(
            "9112 6.1: chunked in HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        ),
        page("9112 5.2: a folded field", ok("X-A: b\r\n c\r\nContent-Length: 2")),
        page("9112 5.1: a space before the colon", ok("Content-Length : 2")),
        page("9112 5: a line without a colon", ok("nothing\r\nContent-Length: 2")),
        page("9110 5.5: NUL in a value", ok("X-A: b\0c\r\nContent-Length: 2")),
        page("9112 2.2: a carriage return alone", ok("X-A: b\rc\r\nContent-Length: 2")),
        page("9112 4: HTTP/0.9", "<html>hello</html>\r\n\r\n"),
        page("9112 4: no status line", "Content-Length: 2\r\n\r\nhi"),
        page("9112 4: another protocol", "ICY 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        page("9112 4: another version", "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        page("9112 4: a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi"),
        page("9112 4: a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi"),
        page("9110 15: a status below all classes", "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nhi"),
        page(
            "9110 15.2.2: another protocol that nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        ),
        page("9110 5.4: a field that is too long", ok(&format!("X-A: {long}\r\nContent-Length: 2"))),
        page("9110 5.4: too many fields", ok(&format!("{many}Content-Length: 2"))),
    ])
    .await;
}

#[tokio::test]
async fn bodies_that_break_off_are_seen_to() {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let broken = |name, text: String, closes| Case(name, text, closes, Seen::Broken);
    check_all([
        broken("9112 7.1: a size that is none", chunked("2\r\nhi\r\nx\r\n\r\n"), false),
        broken("9112 7.1: a negative size", chunked("-2\r\nhi\r\n0\r\n\r\n"), false),
        broken("9112 7.1: a size beyond all numbers", chunked("10000000000000002\r\nhi\r\n0\r\n\r\n"), false),
        broken("9112 7.1: a chunk that is too long", chunked("2\r\nhi!\r\n0\r\n\r\n"), false),
        broken("9112 7.1: a line feed alone after a chunk", chunked("2\r\nhi\n0\r\n\r\n"), false),
        broken("9112 8: the end before the last chunk", chunked("2\r\nhi\r\n"), true),
        broken("9112 8: the end in a chunk", chunked("5\r\nhi"), true),
        broken("9112 8: the end before the length", ok("Content-Length: 5"), true),
    ])
    .await;
}

#[tokio::test]
async fn bodies_that_begin_badly_become_502_and_those_that_go_on_badly_are_counted() {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let scene = Scene::with(|config| config.short_way = true).await;
    let (bad, closed) = (chunked("2\r\nhi\r\nx\r\n\r\n"), chunked("2\r\nhi\r\n"));
    let app = App::raw(move |_, mut stream| {
        let (bad, closed) = (bad.clone(), closed.clone());
        async move {
            let head = read_head(&mut stream).await.unwrap_or_default();
            let text = if head.contains("/bad") { bad } else { closed };
            let _ = stream.write_all(text.as_bytes()).await;
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    // 9110 15.6.3: nothing has been sent that a page could not take the place of, whatever the visitor speaks.
    let client = H2::connect(scene.addresses.http).await;
    for accepts in ["identity", "gzip"] {
        scene.set("blog", &[("compression", "gzip"), ("compression/minBytes", "0")]).await;
        let mut visitor = scene.client().await;
        visitor.send(format!("GET /bad HTTP/1.1\r\n{HOST}Accept-Encoding: {accepts}\r\n\r\n")).await;
        assert_eq!(visitor.answer().await.status, 502, "{accepts}");
    }
    assert_eq!(client.get("http://blog.example.com/bad").await.status, 502);
    // 9112 8: the head is out.
    let mut visitor = scene.client().await;
    visitor.send(format!("GET /closed HTTP/1.1\r\n{HOST}\r\n")).await;
    assert_eq!(visitor.head().await.unwrap().status, 200);
    assert!(visitor.chunks().await.is_none());
    let broken = client.ask(request(Method::GET, "http://blog.example.com/closed")).await;
    assert!(broken.is_err(), "9113 8.1");
    let line = "deis_app_cut_off_total{app=\"blog\",release=\"v2\"} 2";
    scene.metrics(|text| text.lines().any(|found| found == line)).await;
}

#[tokio::test]
async fn the_library_shows_the_head_of_an_answer_before_it_looks_at_the_body() {
    let scene = Scene::with(|config| config.short_way = false).await;
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nx\r\n\r\n";
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut visitor = scene.client().await;
    visitor.send(format!("GET / HTTP/1.1\r\n{HOST}\r\n")).await;
    // 9112 8: so that the visitor sees it break off.
    assert_eq!(visitor.head().await.unwrap().status, 200);
    assert!(visitor.chunks().await.is_none());
    scene.metrics(|text| text.contains("deis_app_cut_off_total{app=\"blog\",release=\"v2\"} 1")).await;
}

#[tokio::test]
async fn other_answers_pass() {
    const DAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let seen = |has, lacks, body| Seen::Passed(200, has, lacks, body);
    check_all([
        Case("9112 6.3: the coding beats the length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".to_owned(), false, seen(&[("transfer-encoding", "chunked")], &["content-length"], "hi")),
        Case("9110 6.6.1: a date that is told is kept", ok(&format!("Date: {DAY}\r\nContent-Length: 2")), false, seen(&[("date", DAY)], &[], "hi")),
        Case("9110 7.6.1: fields of the connection end", ok("Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nX-Kept: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 2"), false, seen(&[("x-kept", "1")], &["connection", "x-mine", "keep-alive", "proxy-connection", "upgrade"], "hi")),
        Case("9110 7.6.3: no Via is added, one that came is kept", ok("Via: 1.1 app\r\nContent-Length: 2"), false, seen(&[("via", "1.1 app")], &[], "hi")),
        Case("9110 7.6.3: none is added", ok("Content-Length: 2"), false, seen(&[], &["via"], "hi")),
        Case("9110 15.2: the answer follows interim ones", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(), false, seen(&[], &["link"], "hi")),
        Case("9110 15.3.5: 204 has no body", "HTTP/1.1 204 No Content\r\nEtag: x\r\n\r\n".to_owned(), false, Seen::Passed(204, &[("etag", "x")], &["content-length", "transfer-encoding"], "")),
        Case("9110 15: a status nobody knows", "HTTP/1.1 799 What\r\nContent-Length: 2\r\n\r\nhi".to_owned(), false, Seen::Passed(799, &[], &[], "hi")),
        Case("9112 4: no reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi".to_owned(), false, seen(&[], &[], "hi")),
        Case("9112 6.3: until the end", "HTTP/1.1 200 OK\r\n\r\nhi".to_owned(), true, seen(&[("transfer-encoding", "chunked")], &["content-length"], "hi")),
    ])
    .await;
}

#[tokio::test]
async fn a_date_is_told_in_the_one_form_when_the_app_tells_none() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    // 9110 6.6.1: of an answer passed on, and of the router's own.
    for host in ["blog", "nobody"] {
        let answer = scene.get(host, "/").await;
        let date = answer.header("date").expect("a date");
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{host}: {date}");
    }
}
