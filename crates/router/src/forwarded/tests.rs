//! What apps learn, by who says what.

use super::*;

/// Applies to `headers` coming from `peer` and shows for, proto, port, ssl.
fn check(peer: &str, headers: &[(&'static str, &str)], expected: &str) -> HeaderMap {
    check_peer(Peer::new(peer.parse().unwrap()), headers, expected)
}

fn check_peer(peer: Peer, headers: &[(&'static str, &str)], expected: &str) -> HeaderMap {
    let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
    let parse = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    let mut headers: HeaderMap = headers.iter().map(parse).collect();
    let origin = Origin::of(&headers, &peer, &trusted);
    apply(&mut headers, &peer, &origin, true);
    let shown = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-ssl"];
    let shown = shown.map(|name| headers.get(name).unwrap().to_str().unwrap());
    assert_eq!(shown.join(" "), expected);
    headers
}

#[test]
fn an_unknown_peer_is_the_client() {
    check("203.0.113.9", &[], "203.0.113.9 http 80 off");
    let made_up = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.test"),
        ("x-real-ip", "1.2.3.4"),
        ("forwarded", "for=1.2.3.4;proto=https"),
    ];
    let headers = check("203.0.113.9", &made_up, "203.0.113.9 http 80 off");
    for name in ["forwarded", "x-forwarded-host", "x-real-ip"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[test]
fn a_client_whom_a_load_balancer_named_is_not_believed_wherever_it_is() {
    let made_up = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-real-ip", "1.2.3.4")];
    let peer = Peer::new([10, 1, 1, 1].into()).announced();
    let headers = check_peer(peer, &made_up, "10.1.1.1 http 80 off");
    assert!(!headers.contains_key("x-real-ip"));
}

#[test]
fn a_trusted_peer_says_who_the_client_is() {
    let https = ("x-forwarded-proto", "http, https");
    check("10.1.1.1", &[("x-forwarded-for", "1.2.3.4"), https], "1.2.3.4 https 443 on");
    check("10.1.1.1", &[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.2.2.2")], "1.2.3.4 http 80 off");
    check("10.1.1.1", &[("x-forwarded-for", "1.2.3.4:567")], "1.2.3.4 http 80 off");
    check("10.1.1.1", &[("x-forwarded-for", "unknown")], "10.1.1.1 http 80 off");
    check("10.1.1.1", &[("x-forwarded-for", "10.3.3.3")], "10.3.3.3 http 80 off");
    check("10.1.1.1", &[], "10.1.1.1 http 80 off");
    check("::ffff:10.1.1.1", &[("x-forwarded-for", "2001:db8::1")], "2001:db8::1 http 80 off");
    let kept = check("10.1.1.1", &[("x-forwarded-host", "a.test")], "10.1.1.1 http 80 off");
    assert_eq!(kept["x-forwarded-host"], "a.test");
}

#[test]
fn several_headers_are_one_list() {
    let lines =
        [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "10.9.9.9")];
    check("10.1.1.1", &lines, "1.2.3.4 http 80 off");
}

#[test]
fn a_trusted_peer_may_say_it_in_the_standards_words() {
    let given = [("forwarded", "for=6.6.6.6;proto=http, for=\"[2001:db8::1]:99\";proto=https")];
    let headers = check("10.1.1.1", &given, "2001:db8::1 https 443 on");
    assert_eq!(headers["forwarded"], "for=\"[2001:db8::1]\";proto=https");
    let both = [
        ("forwarded", "for=6.6.6.6;proto=https"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "http"),
    ];
    let headers = check("10.1.1.1", &both, "1.2.3.4 http 80 off");
    assert_eq!(headers["forwarded"], "for=1.2.3.4;proto=http");
    check("10.1.1.1", &[("forwarded", "for=unknown")], "10.1.1.1 http 80 off");
}

#[test]
fn tls_with_this_router_is_https_whatever_anybody_says() {
    let peer = || Peer::new([203, 0, 113, 9].into()).over("TLSv1.3");
    check_peer(peer(), &[], "203.0.113.9 https 443 on");
    check_peer(peer(), &[("x-forwarded-proto", "http")], "203.0.113.9 https 443 on");
}

#[test]
fn lookalikes_of_these_headers_never_reach_an_app() {
    let lies = [
        "x_forwarded_for",
        "x-forwarded_proto",
        "x_real_ip",
        "x_request_start",
        "x_request_id",
        "content_length",
        "transfer_encoding",
        "proxy",
    ];
    for peer in ["203.0.113.9", "10.1.1.1"] {
        for lie in lies {
            let given = [(lie, "1.2.3.4"), ("my_header", "1"), ("x-proxy", "1"), ("content-length", "1")];
            let headers = check(peer, &given, &format!("{peer} http 80 off"));
            assert!(!headers.contains_key(lie), "{lie}");
            assert!(given[1..].iter().all(|(honest, _)| headers.contains_key(*honest)));
        }
    }
}

#[test]
fn the_start_of_a_request_is_noted_once() {
    let given = [("x-request-start", "t=1.000")];
    let kept = check("10.1.1.1", &given, "10.1.1.1 http 80 off");
    assert_eq!(kept.get("x-request-start").unwrap(), "t=1.000");
    let replaced = check("203.0.113.9", &given, "203.0.113.9 http 80 off");
    assert_ne!(replaced.get("x-request-start").unwrap(), "t=1.000");
}

#[test]
fn the_start_of_a_request_is_told_only_where_it_is_wanted() {
    let peer = Peer::new([10, 1, 1, 1].into());
    let mut headers: HeaderMap =
        [(X_REQUEST_START.clone(), HeaderValue::from_static("t=1.000"))].into_iter().collect();
    let origin = Origin::of(&headers, &peer, &["10.0.0.0/8".parse().unwrap()]);
    apply(&mut headers, &peer, &origin, false);
    assert!(!headers.contains_key("x-request-start"));
}
