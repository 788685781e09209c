//! Requests by what becomes of them under which settings.

use std::collections::BTreeMap;
use std::time::Duration;

use deis_model::routing::{AppSettings, MeshSettings, seal};
use futures::FutureExt;
use http::Request;

use super::*;

fn gate(settings: &[(&str, &str)]) -> Gate {
    let sealed = |(key, value): &(&str, &str)| ((*key).to_owned(), seal(key, value, || [7; 16]).unwrap());
    let settings: BTreeMap<_, _> = settings.iter().map(sealed).collect();
    Gate::new(&MeshSettings::default().rules(&AppSettings::parse(&settings).unwrap()))
}

/// What becomes of `GET /a?b=c` from 192.0.2.1 over HTTP, with `change` made to it.
fn judge(gate: &Gate, change: impl FnOnce(&mut Arrival<'_>)) -> Result<(), Refusal> {
    let host = Host::parse(b"blog.example.com").unwrap();
    let mut arrival = Arrival { host: &host, client: [192, 0, 2, 1].into(), is_https: false, body_bytes: 0 };
    change(&mut arrival);
    let head = Request::builder().uri("/a?b=c").body(()).unwrap().into_parts().0;
    // Only passwords are waited for.
    gate.judge(&Bounds::new(1), &arrival, &head).now_or_never().expect("there is nothing to wait for")
}

fn check(settings: &[(&str, &str)], expected: Result<(), Refusal>) {
    assert_eq!(judge(&gate(settings), |_| {}), expected, "{settings:?}");
}

#[test]
fn every_rule_has_its_answer() {
    let moved = || Err(Refusal::Moved("https://blog.example.com/a?b=c".to_owned()));
    check(&[], Ok(()));
    check(&[("routable", "off")], Err(Refusal::NotRouted));
    check(&[("enforceHTTPS", "on")], moved());
    check(&[("hsts/enabled", "on")], moved());
    check(&[("whitelist", "10.0.0.0/8")], Err(Refusal::Forbidden));
    check(&[("whitelist", "192.0.2.0/24:here")], Ok(()));
    check(&[("enforceWhitelist", "on")], Err(Refusal::Forbidden));
    check(&[("basicAuth", "alice:secret")], Err(Refusal::Unauthorized));
    check(&[("firewall/enabled", "on")], Ok(()));
    let maintenance = |page: Option<&str>, seconds| {
        let (page, retry_after) = (page.map(str::to_owned), Duration::from_secs(seconds));
        Err(Refusal::Maintenance { page, retry_after })
    };
    check(&[("maintenance", "on")], maintenance(None, 300));
    let own = [("maintenance", "on"), ("maintenance/page", "Soon."), ("maintenance/retryAfter", "10")];
    check(&own, maintenance(Some("Soon."), 10));
}

#[test]
fn a_request_by_https_is_not_sent_there_again() {
    let gate = gate(&[("hsts/enabled", "on")]);
    assert_eq!(judge(&gate, |arrival| arrival.is_https = true), Ok(()));
    let mut headers = HeaderMap::new();
    gate.tell_browsers(&mut headers, false);
    assert!(headers.is_empty());
    gate.tell_browsers(&mut headers, true);
    assert_eq!(headers["strict-transport-security"], "max-age=10886400");
}

#[test]
fn a_client_is_judged_by_its_address_before_anything_is_told_of_the_app() {
    let gate = gate(&[("whitelist", "10.0.0.0/8"), ("maintenance", "on"), ("basicAuth", "alice:secret")]);
    assert_eq!(judge(&gate, |_| {}), Err(Refusal::Forbidden));
}

#[test]
fn a_body_may_be_as_long_as_set() {
    let gate = gate(&[("bodySize", "10")]);
    assert_eq!(judge(&gate, |arrival| arrival.body_bytes = 10), Ok(()));
    assert_eq!(judge(&gate, |arrival| arrival.body_bytes = 11), Err(Refusal::TooLarge));
    let gate = self::gate(&[("bodySize", "0")]);
    assert_eq!(judge(&gate, |arrival| arrival.body_bytes = u64::MAX), Ok(()));
}

#[test]
fn only_what_changes_nothing_is_plain() {
    for settings in [&[][..], &[("bodySize", "2m")], &[("queue", "7")], &[("maintenance", "off")]] {
        assert!(gate(settings).is_plain, "{settings:?}");
    }
    for setting in [
        ("enforceHTTPS", "on"),
        ("hsts/enabled", "on"),
        ("routable", "off"),
        ("maintenance", "on"),
        ("whitelist", "10.0.0.0/8"),
        ("basicAuth", "a:b"),
        ("rateLimit", "10"),
        ("firewall/enabled", "on"),
        ("header/request/X-A", "1"),
        ("header/response/X-A", ""),
        ("referrerPolicy", "no-referrer"),
    ] {
        assert!(!gate(&[setting]).is_plain, "{setting:?}");
    }
}

#[test]
fn headers_are_set_and_removed() {
    let gate = gate(&[("header/request/X-A", "1"), ("header/request/X-B", ""), ("referrerPolicy", "origin")]);
    let mut headers = HeaderMap::new();
    headers.append("x-a", HeaderValue::from_static("0"));
    headers.append("x-a", HeaderValue::from_static("00"));
    headers.insert("x-b", HeaderValue::from_static("0"));
    gate.change_request(&mut headers);
    assert_eq!((headers.get_all("x-a").iter().count(), &headers["x-a"]), (1, &HeaderValue::from_static("1")));
    assert!(!headers.contains_key("x-b"));
    headers.insert("referrer-policy", HeaderValue::from_static("unsafe-url"));
    gate.tell_browsers(&mut headers, false);
    assert_eq!(headers["referrer-policy"], "origin");
    Gate::default().tell_browsers(&mut headers, false);
    assert_eq!(headers["referrer-policy"], "origin", "an app's own stays");
}
