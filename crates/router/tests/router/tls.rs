//! TLS with visitors: which certificate is shown, what is refused, sessions that go on, certificate authorities.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use deis_api::internal::{Challenge, ChallengeKind, PlatformRoutes, TicketKey};
use deis_model::KeyPair;
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::AsyncReadExt;

use crate::support::{App, Authority, Controller, Scene, Visitor, until};

/// What the platform's settings hold with `pair` as its certificate.
fn platform(pair: &KeyPair) -> PlatformRoutes {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = BTreeMap::from([setting("sslCert", &pair.chain), setting("sslKey", &pair.key)]);
    PlatformRoutes { settings, ..PlatformRoutes::default() }
}

fn https(scene: &Scene) -> SocketAddr {
    scene.addresses.https.unwrap()
}

/// The serial number of the certificate in `pair`.
fn serial(pair: &KeyPair) -> String {
    use rustls::pki_types::pem::PemObject;
    let certificate = rustls::pki_types::CertificateDer::from_pem_slice(pair.chain.as_bytes()).unwrap();
    crate::support::serial(&certificate)
}

#[tokio::test]
async fn an_app_is_visited_over_tls() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    scene.certify("blog", &[authority.certify(&["blog.example.com"])]).await;
    let visitor = Visitor::new(&authority, &["http/1.1"]);
    let mut client = visitor.client(https(&scene), "blog.example.com").await;
    for _ in 0..2 {
        let seen = client.get("blog.example.com", "/headers").await;
        for line in ["x-forwarded-proto: https", "x-forwarded-port: 443", "x-forwarded-ssl: on"] {
            assert!(seen.text().contains(line), "{line} in {}", seen.text());
        }
    }
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_host_asked_for() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    scene.route("shop", 2, &[&app]).await;
    let own = authority.certify(&["blog.example.com"]);
    let (www, wide) = (authority.certify(&["www.blog.test"]), authority.certify(&["*.blog.test"]));
    let platform_pair = authority.certify(&["*.example.com", "*.shop.test"]);
    scene.certify("blog", &[wide, own.clone(), www.clone()]).await;
    scene.platform(platform(&platform_pair)).await;
    let visitor = Visitor::new(&authority, &[]);
    for (host, expected) in [
        ("blog.example.com", &own),
        ("BLOG.example.com", &own),
        ("www.blog.test", &www),
        ("shop.example.com", &platform_pair),
        ("www.shop.test", &platform_pair),
        ("unknown.example.com", &platform_pair),
    ] {
        let shown = visitor.shown(https(&scene), host).await.unwrap();
        assert_eq!(shown, serial(expected), "{host}");
    }
}

#[tokio::test]
async fn one_app_cannot_speak_for_the_host_of_another() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    scene.route("thief", 2, &[&app]).await;
    let own = authority.certify(&["blog.example.com"]);
    scene.certify("blog", std::slice::from_ref(&own)).await;
    scene
        .certify("thief", &[authority.certify_for(&["blog.example.com"], Duration::from_secs(9_000_000))])
        .await;
    let visitor = Visitor::new(&authority, &[]);
    assert_eq!(visitor.shown(https(&scene), "blog.example.com").await.unwrap(), serial(&own));
}

#[tokio::test]
async fn of_several_certificates_the_one_that_is_valid_and_ends_last_is_shown() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let names = ["blog.example.com"];
    let day = Duration::from_secs(24 * 60 * 60);
    let late = authority.certify_for(&names, day * 20);
    let all = [authority.expired(&names), authority.certify_for(&names, day), late.clone()];
    scene.certify("blog", &all).await;
    let visitor = Visitor::new(&authority, &[]);
    assert_eq!(visitor.shown(https(&scene), "blog.example.com").await.unwrap(), serial(&late));
    // An expired one gives way to the platform's, if that is for the host.
    let wide = authority.certify(&["*.example.com"]);
    scene.platform(platform(&wide)).await;
    scene.certify("blog", &all[..1]).await;
    assert_eq!(visitor.shown(https(&scene), "blog.example.com").await.unwrap(), serial(&wide));
}

#[tokio::test]
async fn without_a_certificate_the_handshake_is_refused_by_name() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let visitor = Visitor::new(&authority, &[]);
    for host in ["blog.example.com", "unknown.test", "127.0.0.1"] {
        let error = visitor.shown(https(&scene), host).await.unwrap_err();
        assert!(error.to_string().contains("UnrecognisedName"), "{host}: {error}");
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_leaves_all_others() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let good = authority.certify(&["blog.example.com"]);
    let other = authority.certify(&["blog.example.com"]);
    let broken = [
        KeyPair { chain: "no certificate".to_owned(), ..good.clone() },
        KeyPair { chain: "-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned(), ..good.clone() },
        KeyPair { key: other.key.clone(), ..good.clone() },
        KeyPair { key: String::new(), ..good.clone() },
    ];
    let all: Vec<KeyPair> = broken.iter().cloned().chain([good.clone()]).collect();
    scene.certify("blog", &all).await;
    scene.platform(platform(&broken[2])).await;
    let visitor = Visitor::new(&authority, &[]);
    assert_eq!(visitor.shown(https(&scene), "blog.example.com").await.unwrap(), serial(&good));
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_counts_from_the_next_handshake_on() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let visitor = Visitor::new(&authority, &["http/1.1"]);
    scene.certify("blog", &[authority.certify(&["blog.example.com"])]).await;
    let mut open = visitor.client(https(&scene), "blog.example.com").await;
    for _ in 0..2 {
        let next = authority.certify(&["blog.example.com"]);
        scene.certify("blog", std::slice::from_ref(&next)).await;
        let fresh = Visitor::new(&authority, &[]);
        assert_eq!(fresh.shown(https(&scene), "blog.example.com").await.unwrap(), serial(&next));
    }
    assert_eq!(open.get("blog.example.com", "/").await.text(), "blog");
    scene.certify("blog", &[]).await;
    let fresh = Visitor::new(&authority, &[]);
    assert!(fresh.shown(https(&scene), "blog.example.com").await.is_err());
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
}

fn ticket_key(digit: &str) -> TicketKey {
    TicketKey { name: digit.repeat(32), key: digit.repeat(64) }
}

/// How a visitor's handshakes go, one after the other, with an exchange over each.
async fn kinds(visitor: &Visitor, addresses: &[SocketAddr]) -> Vec<HandshakeKind> {
    let mut kinds = Vec::new();
    for address in addresses {
        let stream = visitor.open(*address, "blog.example.com").await.unwrap();
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        // Tickets come with, or after, the end of the handshake.
        let mut client = crate::support::Client::over(stream);
        assert_eq!(client.get("blog.example.com", "/").await.text(), "blog");
    }
    kinds
}

#[tokio::test]
async fn sessions_go_on_at_another_router() {
    let authority = Authority::new();
    let app = App::start("blog").await;
    let controller = Controller::start().await;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let second = Controller::start().await;
    let secure = |config: &mut deis_router::Config| config.https = vec![any];
    let (one, two) = (Scene::following(controller, secure).await, Scene::following(second, secure).await);
    let pair = authority.certify(&["blog.example.com"]);
    for (scene, keys) in [(&one, vec![ticket_key("a")]), (&two, vec![ticket_key("b"), ticket_key("a")])] {
        scene.route("blog", 2, &[&app]).await;
        scene.certify("blog", std::slice::from_ref(&pair)).await;
        scene.platform(PlatformRoutes { ticket_keys: keys, ..PlatformRoutes::default() }).await;
    }
    let (one, two) = (https(&one), https(&two));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let visitor = Visitor::speaking(&authority, version);
        let seen = kinds(&visitor, &[one, two]).await;
        assert_eq!(seen, [HandshakeKind::Full, HandshakeKind::Resumed], "{version:?}");
        // The first router does not have the key that the second seals with.
        let visitor = Visitor::speaking(&authority, version);
        let seen = kinds(&visitor, &[two, one]).await;
        assert_eq!(seen, [HandshakeKind::Full, HandshakeKind::Full], "{version:?}");
    }
}

#[tokio::test]
async fn operators_choose_versions_and_tickets_without_a_restart() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    scene.certify("blog", &[authority.certify(&["blog.example.com"])]).await;
    let visitor = Visitor::new(&authority, &[]);
    let stream = visitor.open(https(&scene), "blog.example.com").await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let settings = [
        ("sslProtocols", "TLSv1 TLSv1.2"),
        ("sslCiphers", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("sslSessionTickets", "off"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    scene.platform(PlatformRoutes { settings, ..PlatformRoutes::default() }).await;
    let visitor = Visitor::new(&authority, &[]);
    let stream = visitor.open(https(&scene), "blog.example.com").await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let suite = session.negotiated_cipher_suite().unwrap().suite().as_str().unwrap();
    assert_eq!(suite, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    let seen = kinds(&visitor, &[https(&scene); 2]).await;
    assert_eq!(seen, [HandshakeKind::Full; 2]);
}

#[tokio::test]
async fn sessions_end_when_the_mesh_says() {
    let (scene, authority, app) = (Scene::secured().await, Authority::new(), App::start("blog").await);
    scene.route("blog", 2, &[&app]).await;
    scene.certify("blog", &[authority.certify(&["blog.example.com"])]).await;
    let settings = [("sslSessionTimeout".to_owned(), "1s".to_owned())].into();
    scene.platform(PlatformRoutes { settings, ..PlatformRoutes::default() }).await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let visitor = Visitor::speaking(&authority, version);
        assert_eq!(kinds(&visitor, &[https(&scene)]).await, [HandshakeKind::Full]);
        // However long it took, the session is over then.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(kinds(&visitor, &[https(&scene)]).await, [HandshakeKind::Full], "{version:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_set_up_tls_is_not_waited_for() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let scene = Scene::with(|config| {
        config.https = vec![any];
        config.timeouts.handshake = Duration::from_millis(50);
    })
    .await;
    let mut silent = tokio::net::TcpStream::connect(https(&scene)).await.unwrap();
    let mut nothing = Vec::new();
    let read = tokio::time::timeout(crate::support::PATIENCE, silent.read_to_end(&mut nothing));
    assert!(read.await.expect("it is closed").is_ok() && nothing.is_empty());
    let mut plain = crate::support::Client::connect(https(&scene)).await;
    plain.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    // An alert, whatever it is.
    assert_eq!(plain.byte().await, Some(21));
}

#[tokio::test]
async fn certificate_authorities_are_answered_before_any_rule() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let pair = authority.certify(&["blog.example.com"]);
    let challenge = |kind| Challenge { host: "blog.example.com".to_owned(), kind };
    let http = ChallengeKind::Http01 { token: "token".to_owned(), authorization: "token.print".to_owned() };
    let challenges = vec![challenge(http), challenge(ChallengeKind::TlsAlpn01 { pair: pair.clone() })];
    scene.platform(PlatformRoutes { challenges, ..PlatformRoutes::default() }).await;
    assert_eq!(scene.get("blog", "/.well-known/acme-challenge/token").await.text(), "token.print");
    let other = scene.get("blog", "/.well-known/acme-challenge/other").await;
    assert!(other.text().starts_with("GET /.well-known/acme-challenge/other"));
    let asking = Visitor::new(&authority, &["acme-tls/1"]);
    let stream = asking.open(https(&scene), "blog.example.com").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert_eq!(crate::support::serial(&stream.get_ref().1.peer_certificates().unwrap()[0]), serial(&pair));
    // The certificate is for nobody else.
    assert!(Visitor::new(&authority, &["h2"]).shown(https(&scene), "blog.example.com").await.is_err());
    scene.platform(PlatformRoutes::default()).await;
    assert!(asking.shown(https(&scene), "blog.example.com").await.is_err());
}

#[tokio::test]
async fn operators_hear_of_a_certificate_in_trouble() {
    let (scene, authority) = (Scene::secured().await, Authority::new());
    let names = ["*.example.com"];
    let board = scene.status.clone();
    let says = move |text: &str| board.snapshot().problems.iter().any(|problem| problem.cause.contains(text));
    scene.platform(platform(&authority.certify_for(&names, Duration::from_secs(3 * 86_400 + 60)))).await;
    until(|| says("expires in 3 days")).await;
    scene.platform(platform(&authority.expired(&names))).await;
    until(|| says("has expired")).await;
    let broken = KeyPair { key: authority.certify(&names).key, ..authority.certify(&names) };
    scene.platform(platform(&broken)).await;
    until(|| says("cannot be used")).await;
    scene.platform(platform(&authority.certify(&names))).await;
    until(|| !says("certificate")).await;
}
