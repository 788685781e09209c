use std::time::{Duration, UNIX_EPOCH};

use deis_model::{AppId, KeyPair};
use rcgen::{CertificateParams, KeyPair as Key};

use super::*;

/// The `number`th day.
fn day(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(number * 24 * 60 * 60)
}

/// A certificate for `names`, separated by blanks, valid from one day to another.
fn pair(names: &str, begins: u64, ends: u64) -> KeyPair {
    let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
    let mut params = CertificateParams::new(names).unwrap();
    (params.not_before, params.not_after) = (day(begins).into(), day(ends).into());
    let key = Key::generate().unwrap();
    KeyPair { chain: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

fn route(pairs: &[KeyPair]) -> Arc<AppRoute> {
    let app = AppId::parse("blog").unwrap();
    Arc::new(AppRoute { certificates: pairs.to_vec(), ..AppRoute::new(app) })
}

fn certificates(pairs: &[KeyPair]) -> Arc<Certificates> {
    Certificates::of(&route(pairs), None, &Cache::default())
}

/// Which of `pairs` is found for `host` on the hundredth day.
fn check(pairs: &[KeyPair], host: &str, expected: Option<usize>) {
    let certificates = certificates(pairs);
    let found = certificates.find(&Wish { host, schemes: None, now: day(100) });
    let place = |found: &Arc<Pair>| {
        let same = |read: &Option<Arc<Pair>>| read.as_ref().is_some_and(|read| Arc::ptr_eq(read, found));
        certificates.read.pairs.iter().position(same)
    };
    assert_eq!(found.and_then(place), expected, "{host}");
}

#[test]
fn names_are_found_exactly_or_by_one_label() {
    let pairs = [pair("*.example.com", 1, 900), pair("www.example.com example.org", 1, 200)];
    check(&pairs, "www.example.com", Some(1));
    check(&pairs, "blog.example.com", Some(0));
    check(&pairs, "example.org", Some(1));
    for host in ["example.com", "a.b.example.com", "*.example.com.evil", "www.example.org", "", "com"] {
        check(&pairs, host, None);
    }
}

#[test]
fn the_valid_one_that_ends_last_is_found() {
    let pairs =
        [pair("a.test", 1, 99), pair("a.test", 1, 200), pair("a.test", 1, 300), pair("a.test", 150, 900)];
    check(&pairs, "a.test", Some(2));
    check(&pairs[..1], "a.test", Some(0));
    // A wildcard that is valid comes before the very name that has expired.
    check(&[pair("a.test", 1, 99), pair("*.test", 1, 101)], "a.test", Some(1));
}

#[test]
fn one_that_cannot_be_read_leaves_the_others() {
    let good = pair("a.test", 1, 200);
    let broken = KeyPair { key: pair("a.test", 1, 200).key, ..good.clone() };
    check(&[broken, KeyPair { chain: String::new(), key: String::new() }, good], "a.test", Some(2));
}

#[test]
fn a_client_gets_one_whose_signatures_it_can_check() {
    let certificates = certificates(&[pair("a.test", 1, 200)]);
    let find = |schemes: &[SignatureScheme]| {
        certificates.find(&Wish { host: "a.test", schemes: Some(schemes), now: day(100) }).is_some()
    };
    assert!(find(&[SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256]));
    assert!(!find(&[SignatureScheme::RSA_PSS_SHA256]));
}

#[test]
fn what_the_authority_says_is_shown_along() {
    let mut stapled = pair("a.test", 1, 200);
    stapled.chain.push_str("-----BEGIN OCSP RESPONSE-----\nAQID\n-----END OCSP RESPONSE-----\n");
    let certificates = certificates(&[stapled]);
    let found = certificates.find(&Wish { host: "a.test", schemes: None, now: day(100) }).unwrap();
    assert_eq!((found.key.ocsp.as_deref(), found.key.cert.len()), (Some(&[1, 2, 3][..]), 1));
}

#[test]
fn nothing_is_read_again_because_something_else_changed() {
    let cache = Cache::default();
    let (one, two) = (pair("a.test", 1, 200), pair("b.test", 1, 200));
    let first = Certificates::of(&route(std::slice::from_ref(&one)), None, &cache);
    let same = Certificates::of(&route(std::slice::from_ref(&one)), Some(&first), &cache);
    assert!(Arc::ptr_eq(&first.read, &same.read));
    let more = Certificates::of(&route(&[two, one.clone()]), Some(&same), &cache);
    let pairs = |certificates: &Certificates| -> Vec<Arc<Pair>> {
        certificates.read.pairs.iter().flatten().cloned().collect()
    };
    assert!(Arc::ptr_eq(&pairs(&first)[0], &pairs(&more)[1]));
    // Another app with the same certificate.
    let other = Certificates::of(&route(&[one]), None, &cache);
    assert!(Arc::ptr_eq(&pairs(&first)[0], &pairs(&other)[0]));
}

#[test]
fn an_app_without_certificates_costs_nothing() {
    let cache = Cache::default();
    let none = Certificates::of(&route(&[]), None, &cache);
    assert!(Arc::ptr_eq(&none, &Certificates::of(&route(&[]), Some(&none), &cache)));
    let some = Certificates::of(&route(&[pair("a.test", 1, 200)]), Some(&none), &cache);
    let gone = Certificates::of(&route(&[]), Some(&some), &cache);
    assert!(gone.find(&Wish { host: "a.test", schemes: None, now: day(100) }).is_none());
}

/// On which day the first of `hosts` is left without a certificate.
fn check_first_end(pairs: &[KeyPair], hosts: &[&str], expected: Option<u64>) {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let route = AppRoute { hosts, ..AppRoute::clone(&route(pairs)) };
    let found = Certificates::of(&route.into(), None, &Cache::default()).first_end();
    assert_eq!(found, expected.map(day));
}

#[test]
fn the_first_host_that_is_left_without_a_certificate_is_what_counts() {
    let pairs = [pair("a.test", 1, 99), pair("a.test", 1, 200), pair("*.test", 1, 300), pair("b.org", 1, 50)];
    check_first_end(&pairs, &["a.test", "b.test", "other.example"], Some(300));
    check_first_end(&pairs[..2], &["a.test", "b.test"], Some(200));
    check_first_end(&pairs, &["a.test", "b.org"], Some(50));
    check_first_end(&pairs, &["other.example"], None);
    check_first_end(&[], &["a.test"], None);
}
