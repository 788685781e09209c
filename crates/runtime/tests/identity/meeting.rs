//! Two processes meet: who gets to know whom.

use deis_runtime::Identity;
use deis_runtime::identity::{Authority, IdentityBundle};

use crate::support::{HOUR, Meeting, Member, call, can_meet, credulous, meet, nobody};

/// The meeting failed at the server, and for this reason.
fn assert_server_refuses(meeting: &Meeting, reason: &str) {
    let refusal = meeting.server.as_ref().err().expect("the server refuses");
    assert!(refusal.contains(reason), "{refusal}");
    assert!(meeting.client.is_err());
}

/// The meeting failed at the client, and for this reason.
fn assert_client_refuses(meeting: &Meeting, reason: &str) {
    let refusal = meeting.client.as_ref().err().expect("the client refuses");
    assert!(refusal.contains(reason), "{refusal}");
    assert!(meeting.server.is_err());
}

#[tokio::test]
async fn members_of_a_platform_know_each_other_by_role_and_host() {
    let authority = Authority::create().unwrap();
    let (controller, router) = (Member::new(&authority, "controller"), Member::new(&authority, "router"));
    let meeting = call(&controller, &router, "controller").await;
    let caller = meeting.server.unwrap().peer.unwrap();
    assert!(caller.is("router") && caller.is_on("router-host") && !caller.is_on("controller-host"));
    let called = meeting.client.unwrap().peer.unwrap();
    assert!(called.is("controller") && called.is_on("controller-host"));
}

#[tokio::test]
async fn a_host_may_have_any_name() {
    let authority = Authority::create().unwrap();
    let server = Member::new(&authority, "controller");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.issue("router").unwrap().to_pem()).unwrap();
    for host in ["Node_7.example.com", "", "-", &"long".repeat(40), "bücher", "*.controller"] {
        let identity = Identity::load(file.path(), host).unwrap();
        let meeting = meet(server.identity.server(), identity.client("controller")).await;
        let peer = meeting.server.unwrap().peer.unwrap();
        assert!(peer.is("router") && peer.is_on(host), "{host:?}: {peer:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_role_is_refused() {
    let authority = Authority::create().unwrap();
    let (logger, router) = (Member::new(&authority, "logger"), Member::new(&authority, "router"));
    let meeting = call(&logger, &router, "controller").await;
    assert_client_refuses(&meeting, "it is a logger where a controller was expected");
}

#[tokio::test]
async fn another_platform_is_refused_by_both_ends() {
    let (ours, theirs) = (Authority::create().unwrap(), Authority::create().unwrap());
    let (controller, stranger) = (Member::new(&ours, "controller"), Member::new(&theirs, "router"));
    assert_client_refuses(&call(&controller, &stranger, "controller").await, "UnknownIssuer");
    let meeting =
        meet(controller.identity.server(), credulous(&stranger.identity.client("controller"))).await;
    assert_server_refuses(&meeting, "UnknownIssuer");
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let authority = Authority::create().unwrap();
    let controller = Member::new(&authority, "controller");
    let meeting = meet(controller.identity.server(), nobody()).await;
    assert_server_refuses(&meeting, "certificate");
}

#[tokio::test]
async fn what_has_expired_is_refused_by_both_ends() {
    let authority = Authority::create().unwrap();
    let today = Member::new(&authority, "controller");
    let later = Member::ahead(&authority, "router", 72 * HOUR);
    // The router of three days on sees a controller that has not renewed its certificate since.
    assert_client_refuses(&call(&today, &later, "controller").await, "certificate expired");
    let (late, early) =
        (Member::ahead(&authority, "controller", 72 * HOUR), Member::new(&authority, "router"));
    let meeting = meet(late.identity.server(), credulous(&early.identity.client("controller"))).await;
    assert_server_refuses(&meeting, "certificate expired");
}

#[tokio::test]
async fn clocks_may_differ_by_most_of_an_hour() {
    let authority = Authority::create().unwrap();
    let now = Member::new(&authority, "controller");
    for difference in [-55 * 60, 55 * 60] {
        let other = Member::ahead(&authority, "router", difference);
        assert!(can_meet(&now, &other, "controller").await, "{difference}");
    }
}

#[tokio::test]
async fn clocks_that_differ_too_much_are_told() {
    let authority = Authority::create().unwrap();
    let (ahead, now) = (Member::ahead(&authority, "controller", 3 * HOUR), Member::new(&authority, "router"));
    assert_client_refuses(&call(&ahead, &now, "controller").await, "not valid yet");
}

#[test]
fn an_authority_and_its_bundles_are_read_as_they_were_written() {
    let authority = Authority::create().unwrap();
    let again = Authority::from_pem(&authority.to_pem()).unwrap();
    assert_eq!(again.to_pem(), authority.to_pem());
    let bundle = again.issue("database").unwrap();
    let read = IdentityBundle::parse(&bundle.to_pem()).unwrap();
    assert_eq!((read.role(), read.to_pem()), ("database", bundle.to_pem()));
    assert!(read.to_pem().starts_with("Identity of the database, for its containers alone; valid until 20"));
    let years =
        read.expires().duration_since(std::time::SystemTime::now()).unwrap().as_secs() / (365 * 86_400);
    assert_eq!(years, 4);
}

#[test]
fn only_names_of_roles_are_issued() {
    let authority = Authority::create().unwrap();
    for role in ["", "a.controller", "Router", "*", "-a", "a-", "1a", "a b", &"a".repeat(31)] {
        assert!(authority.issue(role).is_err(), "{role:?}");
    }
}

#[test]
fn what_is_no_bundle_is_refused_with_the_reason() {
    let authority = Authority::create().unwrap();
    let bundle = authority.issue("router").unwrap().to_pem();
    let other = authority.issue("router").unwrap().to_pem();
    let key = |text: &str| text[text.find("-----BEGIN PRIVATE").unwrap()..].to_owned();
    let certificate = &bundle[..bundle.len() - key(&bundle).len()];
    let cases = [
        (String::new(), "no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned(), "certificate"),
        (authority.root(), "no private key"),
        (authority.to_pem(), "no root certificate"),
        (certificate.to_owned() + &key(&other), "failed to prove the identity of the router"),
    ];
    for (text, reason) in cases {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let refusal = Identity::load(file.path(), "host").err().expect("it is refused").to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
    let absent = Identity::load(std::path::Path::new("/nowhere/identity.pem"), "host").err().unwrap();
    assert!(absent.to_string().contains("/nowhere/identity.pem"), "{absent}");
}
