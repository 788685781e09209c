//! Automatic certificates, from a real authority: Pebble, which refuses some calls at random as RFC 8555 allows.
//!
//! Needs the distribution's package `pebble`; without it tests say that they are skipped.

// A test's panic is its report.
#![allow(clippy::unwrap_used)]

#[path = "acme/bench.rs"]
mod bench;
#[path = "acme/hook.rs"]
mod hook;
#[path = "api/logger.rs"]
mod logger;
#[path = "acme/routers.rs"]
mod routers;
#[path = "acme/suggesting.rs"]
mod suggesting;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bench::{Bench, HOST, blog};
use deis_api::internal::ChallengeKind;
use deis_test_pebble::{BOUND, Policy};
use hook::hook;
use suggesting::Suggesting;
use time::OffsetDateTime;
use x509_parser::pem::Pem;

/// The names in the first certificate of a chain.
fn names(chain: &str) -> String {
    let pem = Pem::iter_from_buffer(chain.as_bytes()).next().unwrap().unwrap();
    let certificate = pem.parse_x509().unwrap();
    format!("{:?}", certificate.subject_alternative_name().unwrap().unwrap().value.general_names)
}

#[tokio::test]
async fn a_domain_gets_a_certificate_by_a_page() {
    let Some(bench) = Bench::start().await else { return };
    let pair = bench.await_certificate(HOST, None).await;
    assert_eq!(names(&pair.chain), r#"[DNSName("www.example.com")]"#);
    assert!(!pair.sealed_key.contains("PRIVATE"), "the key is sealed");
    assert!(bench.routers.answered.load(Ordering::SeqCst) > 0);
    bench.until("the answer's end", async || bench.routers.challenges().is_empty().then_some(())).await;
    bench.logger.await_line("blog", "certificate for www.example.com issued, valid until").await;
    let state = bench.state(HOST).await.unwrap();
    let held = state.progress.certificate.unwrap();
    assert_eq!((held.validity.not_after - held.validity.not_before).whole_days(), 89);
    assert_eq!((state.progress.order, state.problem), (None, None));
    assert!(bench.state("blog.deis.example").await.is_none(), "nobody asked for one");
}

#[tokio::test]
async fn a_domain_gets_a_certificate_by_a_handshake() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.set(&[("acme/challenge", "tls-alpn-01".to_owned())]).await;
    bench.routers.acknowledge.store(false, Ordering::SeqCst);
    bench.add_domain(HOST).await;
    bench.lead();
    bench.routers.awaited.notified().await;
    let challenges = bench.routers.challenges();
    assert!(matches!(challenges[0].kind, ChallengeKind::TlsAlpn01 { .. }) && challenges[0].host == HOST);
    bench.routers.acknowledge.store(true, Ordering::SeqCst);
    bench.lead();
    bench.await_certificate(HOST, None).await;
}

#[tokio::test]
async fn a_wildcard_gets_a_certificate_by_dns() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.set(&[("acme/dnsHook", hook(&bench.directory, bench.authority.dns()))]).await;
    bench.database.add_domain(&blog(), "ann", "*.example.org", None).await.unwrap();
    bench.lead();
    let pair = bench.await_certificate("*.example.org", None).await;
    assert_eq!(names(&pair.chain), r#"[DNSName("*.example.org")]"#);
    let told = std::fs::read_to_string(bench.directory.path().join("told")).unwrap();
    let told: Vec<&str> = told.lines().collect();
    assert!(told[0].starts_with("set _acme-challenge.example.org "), "{told:?}");
    assert!(told.last().unwrap().starts_with("clear _acme-challenge.example.org "), "{told:?}");
}

#[tokio::test]
async fn a_certificate_is_renewed_before_its_end_by_the_same_account() {
    let Some(mut bench) = Bench::start().await else { return };
    let first = bench.await_certificate(HOST, None).await;
    let account = bench.account().await.unwrap().sealed_credentials;
    bench.pass(time::Duration::days(20));
    // Another domain's certificate shows that everything was looked at.
    bench.add_domain("other.example.com").await;
    bench.await_certificate("other.example.com", None).await;
    assert_eq!(bench.served(HOST).await.as_ref(), Some(&first));
    bench.pass(time::Duration::days(41));
    let second = bench.await_certificate(HOST, Some(&first)).await;
    assert_ne!(second.chain, first.chain);
    assert_ne!(second.sealed_key, first.sealed_key, "each certificate has a key of its own");
    assert_eq!(bench.account().await.unwrap().sealed_credentials, account);
}

#[tokio::test]
async fn a_certificate_is_renewed_when_its_authority_suggests_it() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    let day = |number| OffsetDateTime::now_utc() + time::Duration::days(number);
    let authority = Suggesting::start(&bench.authority, [day(10), day(11)]).await;
    bench
        .set(&[("acme/directory", authority.url.clone()), ("acme/caCertificates", authority.root.clone())])
        .await;
    bench.add_domain(HOST).await;
    bench.lead();
    let first = bench.await_certificate(HOST, None).await;
    let suggestion = async || bench.state(HOST).await?.progress.certificate?.renewal.suggestion;
    bench.until("a suggestion", suggestion).await;
    bench.pass(time::Duration::days(9));
    // Another domain's certificate shows that everything was looked at.
    bench.add_domain("other.example.com").await;
    bench.await_certificate("other.example.com", None).await;
    assert_eq!(bench.served(HOST).await.as_ref(), Some(&first));
    bench.pass(time::Duration::days(3));
    bench.await_certificate(HOST, Some(&first)).await;
    assert_eq!(authority.replaced().first(), authority.asked().first());
}

#[tokio::test]
async fn a_name_that_fails_is_tried_again_later_and_operators_hear_of_it_in_time() {
    let Some(mut bench) = Bench::quiet(Policy { reuse: 0, ..Policy::default() }).await else { return };
    bench.add_domain(HOST).await;
    bench.lead();
    let first = bench.await_certificate(HOST, None).await;
    bench.routers.are_there.store(false, Ordering::SeqCst);
    bench.pass(time::Duration::days(62));
    let failed = async || bench.state(HOST).await.filter(|state| state.progress.failures == 1);
    let state = bench.until("a failure", failed).await;
    let problem = state.problem.unwrap();
    assert!(problem.contains("404") || problem.contains("challenge"), "the authority's own words: {problem}");
    bench.logger.await_line("blog", "no certificate for www.example.com: ").await;
    assert_eq!(state.progress.order, None);
    assert_eq!(bench.served(HOST).await.as_ref(), Some(&first), "it is served on");
    assert!(bench.board.snapshot().problems.is_empty(), "there is time yet");

    bench.pass(time::Duration::days(15));
    let warned = async || bench.board.snapshot().problems.pop();
    let problem = bench.until("a warning", warned).await;
    assert!(problem.cause.contains("the certificate for www.example.com ends on"), "{problem:?}");
    let again = async || bench.state(HOST).await.filter(|state| state.progress.failures == 2);
    bench.until("a second failure", again).await;

    bench.routers.are_there.store(true, Ordering::SeqCst);
    bench.pass(time::Duration::days(1));
    bench.await_certificate(HOST, Some(&first)).await;
    // The authority's clock has not moved.
    bench.pass(time::Duration::days(-78));
    bench.until("the warning's end", async || bench.board.snapshot().problems.is_empty().then_some(())).await;
}

#[tokio::test]
async fn orders_go_on_when_the_authority_is_back() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.authority.stop();
    bench.add_domain(HOST).await;
    bench.lead();
    for failures in 1..=3 {
        let failed = async || bench.account().await.filter(|account| account.failures == failures);
        let account = bench.until("a failure of the authority", failed).await;
        assert!(account.problem.is_some() && account.sealed_credentials.is_none());
        bench.pass(time::Duration::hours(1));
    }
    let warned = async || bench.board.snapshot().problems.pop();
    let problem = bench.until("a warning", warned).await;
    assert!(problem.cause.contains("no certificate can be had from https://127.0.0.1"), "{problem:?}");
    assert_eq!(bench.state(HOST).await.unwrap().progress.failures, 0, "it is not the name's fault");
    assert!(!bench.logger.has_log("blog"), "nor the app's owner's concern");

    bench.authority.start_again();
    bench.pass(time::Duration::hours(2));
    bench.await_certificate(HOST, None).await;
    bench.until("the warning's end", async || bench.board.snapshot().problems.is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_authority_that_lost_its_memory_gives_another_account() {
    let Some(mut bench) = Bench::start().await else { return };
    bench.await_certificate(HOST, None).await;
    let before = bench.account().await.unwrap().sealed_credentials;
    bench.authority.stop();
    bench.authority.start_again();
    bench.add_domain("other.example.com").await;
    let known = async || {
        // Calls that were under way when it ended count against it.
        bench.served("other.example.com").await
    };
    bench.until("a certificate", known).await;
    assert_ne!(bench.account().await.unwrap().sealed_credentials, before);
    bench.kill();
}

#[tokio::test]
async fn the_next_leader_goes_on_with_the_order_of_one_that_was_killed() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.add_domain(HOST).await;
    bench.routers.acknowledge.store(false, Ordering::SeqCst);
    bench.lead();
    bench.routers.awaited.notified().await;
    let order = bench.database.acme_order(HOST).await.unwrap().unwrap();
    assert!(order.url.is_some());
    bench.kill();
    bench.routers.acknowledge.store(true, Ordering::SeqCst);
    bench.lead();
    let goes_on = async || match bench.database.acme_order(HOST).await.unwrap() {
        Some(found) => {
            assert_eq!(found.url, order.url, "there is one order");
            None
        }
        None => Some(()),
    };
    bench.until("the order's end", goes_on).await;
    assert!(bench.served(HOST).await.is_some());
    assert_eq!(bench.account().await.unwrap().begun, 1);
}

#[tokio::test]
async fn killed_again_and_again_it_gets_there() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.add_domain(HOST).await;
    let mut life = Duration::from_millis(10);
    while bench.served(HOST).await.is_none() {
        bench.lead();
        tokio::time::sleep(life).await;
        bench.kill();
        life = life.mul_f32(1.4);
        assert!(life < Duration::from_secs(120));
    }
    assert_eq!(bench.account().await.unwrap().begun, 1, "it was one order all along");
}

#[tokio::test]
async fn who_lost_the_lease_changes_nothing() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.add_domain(HOST).await;
    let former = bench.keeper();
    bench.lose_lease().await;
    let former = tokio::spawn(former.run());
    bench.lead();
    let pair = bench.await_certificate(HOST, None).await;
    assert_eq!(bench.account().await.unwrap().begun, 1);
    assert_eq!(bench.served(HOST).await, Some(pair));
    former.abort();
}

#[tokio::test]
async fn what_belongs_to_a_domain_that_is_gone_goes() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.add_domain(HOST).await;
    bench.add_domain("other.example.com").await;
    bench.lead();
    bench.await_certificate(HOST, None).await;
    bench.await_certificate("other.example.com", None).await;
    bench.routers.acknowledge.store(false, Ordering::SeqCst);
    bench.add_domain("third.example.com").await;
    let waits = async || bench.routers.challenges().pop().filter(|found| found.host == "third.example.com");
    bench.until("an order", waits).await;

    for host in [HOST, "third.example.com"] {
        bench.remove_domain(host).await;
    }
    let idle = async || bench.state(HOST).await.filter(|state| state.progress.idle_since.is_some());
    bench.until("the note of its removal", idle).await;
    assert!(bench.served(HOST).await.is_none());
    let given_up =
        async || bench.database.acme_order("third.example.com").await.unwrap().is_none().then_some(());
    bench.until("the order's end", given_up).await;
    bench.pass(time::Duration::hours(2));
    let gone = async || {
        let states = bench.database.acme_states().await.unwrap();
        (states.keys().collect::<Vec<_>>() == ["other.example.com"]).then_some(())
    };
    bench.until("its end", gone).await;
    assert!(bench.routers.challenges().is_empty());
    bench.database.delete_app(&blog()).await.unwrap();
    bench.pass(time::Duration::minutes(1));
    let idle =
        async || bench.state("other.example.com").await.filter(|state| state.progress.idle_since.is_some());
    bench.until("the note of the app's end", idle).await;
}

#[tokio::test]
async fn an_account_is_bound_to_another_where_the_authority_wants_it() {
    let Some(mut bench) = Bench::quiet(Policy { bound: true, ..Policy::default() }).await else { return };
    bench.add_domain(HOST).await;
    bench.lead();
    let refused = async || bench.account().await.and_then(|account| account.problem);
    let problem = bench.until("a refusal", refused).await;
    assert!(problem.contains("externalAccountBinding"), "{problem}");
    bench.kill();
    bench.set_secret("acme/eab/key", BOUND.1).await;
    bench.set(&[("acme/eab/keyId", BOUND.0.to_owned())]).await;
    bench.lead();
    bench.pass(time::Duration::hours(1));
    bench.await_certificate(HOST, None).await;
}

#[tokio::test]
async fn apps_get_certificates_for_names_of_the_platform_where_that_is_set() {
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    let set = [("acme/platformNames", "on"), ("acme/email", "ops@example.com")];
    bench.set(&set.map(|(key, value)| (key, value.to_owned()))).await;
    bench.lead();
    let pair = bench.await_certificate("blog.deis.example", None).await;
    assert_eq!(names(&pair.chain), r#"[DNSName("blog.deis.example")]"#);
    assert_eq!(bench.account().await.unwrap().email, "ops@example.com");
}

#[tokio::test]
async fn no_more_orders_begin_in_an_hour_than_may() {
    const OTHER: &str = "other.example.com";
    let Some(mut bench) = Bench::quiet(Policy::default()).await else { return };
    bench.set(&[("acme/ordersPerHour", "1".to_owned())]).await;
    // Begins with an hour, so that none ends meanwhile.
    let now = OffsetDateTime::now_utc().unix_timestamp();
    bench.pass(time::Duration::seconds(3600 - now % 3600));
    bench.add_domain(HOST).await;
    bench.add_domain(OTHER).await;
    bench.lead();
    let served = async || [bench.served(HOST).await, bench.served(OTHER).await];
    bench.until("a certificate", async || served().await.into_iter().flatten().next()).await;
    assert_eq!(bench.account().await.unwrap().begun, 1);
    assert_eq!(served().await.iter().flatten().count(), 1, "nothing was begun for the other");
    bench.pass(time::Duration::hours(1));
    for host in [HOST, OTHER] {
        bench.await_certificate(host, None).await;
    }
}
