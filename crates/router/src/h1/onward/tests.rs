//! What an app is told, line by line.

use super::*;
use crate::h1::request::FIELDS;
use std::mem::MaybeUninit;

/// Writes a request of `peer` with `fields` and shows what the app would see, but for its id and start.
fn check(peer: &str, fields: &str, expected: &[&str]) {
    let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
    let text = format!("GET /a?b HTTP/1.1\r\nHost: A.example:80\r\n{fields}\r\n");
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let request = Request::read(text.as_bytes(), &mut room).unwrap().unwrap();
    let peer = Peer::new(peer.parse().unwrap());
    let origin = origin(&request, &peer, &trusted);
    let id = RequestId::choose(request.values(Kind::Id).next(), true);
    let written = String::from_utf8(Onward::of(&request, &peer, &origin, &id).to_vec()).unwrap();
    let mut lines: Vec<_> = written.strip_suffix("\r\n\r\n").unwrap().split("\r\n").collect();
    let own = |line: &&str| !(line.starts_with("X-Request-Start: t=1") || line.starts_with("X-Request-Id: "));
    lines.retain(own);
    assert_eq!(lines, [&["GET /a?b HTTP/1.1", "Host: A.example:80"], expected].concat());
}

#[test]
fn what_concerns_the_connection_ends_here() {
    let told = [
        "Via: 1.1 deis",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Port: 80",
        "X-Forwarded-Ssl: off",
    ];
    check("203.0.113.9", "Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\n", &told);
    let made_up = "X-Forwarded-For: 1.2.3.4\r\nx_forwarded-FOR: 1\r\nForwarded: x\r\nX-Request-Start: t=3\r\n\
         X_Request-Id: 1\r\nX_Request_Start: 1\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\npROXY: a\r\n";
    check("203.0.113.9", made_up, &told);
    check(
        "203.0.113.9",
        "A:  b \r\nContent-Length: 2\r\n",
        &[&["A: b", "Content-Length: 2"], &told[..]].concat(),
    );
}

#[test]
fn this_router_joins_those_that_a_request_came_through() {
    let told = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Port: 80",
        "X-Forwarded-Ssl: off",
    ];
    let via = ["Via: 1.0 fred", "Via: 1.1 cdn (x), 1.1 deis", "Via: 1.1 deis"];
    let fields = via[..2].join("\r\n") + "\r\n";
    check("203.0.113.9", &fields, &[&via[..], &told].concat());
}

#[test]
fn a_trusted_peer_is_believed() {
    let fields =
        "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-For: 10.2.2.2\r\nX-Forwarded-Proto: https\r\n";
    let told = [
        "Via: 1.1 deis",
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 443",
        "X-Forwarded-Ssl: on",
    ];
    check("10.1.1.1", fields, &told);
    let with_start = format!("{fields}X-Request-Start: t=3\r\nForwarded: for=x\r\n");
    check(
        "10.1.1.1",
        &with_start,
        &[&["X-Request-Start: t=3"], &told[..], &["Forwarded: for=1.2.3.4;proto=https"]].concat(),
    );
}

#[test]
fn what_logs_tell_is_marked() {
    let text = "PUT /a?b HTTP/1.1\r\nUser-Agent: one\r\nHost: a.example\r\nuser-agent: two\r\nReferer: r\r\nX-Request-Id: i-1\r\n\r\n";
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let request = Request::read(text.as_bytes(), &mut room).unwrap().unwrap();
    let peer = Peer::new("203.0.113.9".parse().unwrap());
    let id = RequestId::choose(request.values(Kind::Id).next(), true);
    let onward = Onward::of(&request, &peer, &origin(&request, &peer, &[]), &id);
    let check = |mark: fn(&Marks) -> &Range<usize>, expected: &str| {
        assert_eq!(std::str::from_utf8(onward.marked(mark)).unwrap(), expected);
    };
    check(|marks| &marks.method, "PUT");
    check(|marks| &marks.target, "/a?b");
    check(|marks| &marks.host, "a.example");
    check(|marks| &marks.agent, "one");
    check(|marks| &marks.referer, "r");
    check(|marks| &marks.authorization, "");
    check(|marks| &marks.client, "203.0.113.9");
    check(|marks| &marks.id, "i-1");
}
