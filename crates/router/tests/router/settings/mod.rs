//! Every setting has an effect that somebody notices, set for the mesh and, where that is possible, for an app.

mod patience;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deis_api::internal::PlatformRoutes;
use deis_model::routing::Setting;

use crate::support::{App, Scene};
use rows::{ROWS, app};

type Settings = &'static [(&'static str, &'static str)];

fn map<'a>(settings: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> BTreeMap<String, String> {
    settings.into_iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn set_mesh(scene: &Scene, settings: Settings, change: impl FnOnce(&mut PlatformRoutes)) {
    let mut platform = PlatformRoutes { settings: map(settings), ..PlatformRoutes::default() };
    change(&mut platform);
    scene.platform(platform).await;
}

#[tokio::test]
async fn metrics_are_silent_on_apps_where_the_mesh_says_so() {
    let (scene, app) = (Scene::new().await, app().await);
    scene.route("blog", 2, &[&app]).await;
    assert_eq!(scene.get("blog", "/").await.status, 200);
    scene.metrics(|text| text.contains("app=\"blog\"")).await;
    set_mesh(&scene, &[("metrics/apps", "off")], |_| ()).await;
    let text = scene.metrics(|text| !text.contains("app=\"blog\"")).await;
    assert!(text.contains("deis_router_requests_total"), "{text}");
}

#[tokio::test]
async fn a_container_that_joins_others_gets_its_share_in_the_time_that_settings_say() {
    const ASKED: usize = 400;
    let (scene, old, new) = (Scene::new().await, App::start("old").await, App::start("new").await);
    scene.route("blog", 2, &[&old]).await;
    scene.route("blog", 2, &[&old, &new]).await;
    for (mesh, app, is_slow) in [("1h", None, true), ("1ms", None, false), ("1ms", Some("1h"), true)] {
        let value = |value: &str| [("slowStart".to_owned(), value.to_owned())].into();
        scene.platform(PlatformRoutes { settings: value(mesh), ..PlatformRoutes::default() }).await;
        let of_app = app.map(value).unwrap_or_default();
        let generation = scene.controller.reroute("blog", |route| route.settings = of_app);
        scene.controller.applied(generation).await;
        let (before, mut client) = (new.requests(), scene.client().await);
        for _ in 0..ASKED {
            assert_eq!(client.get("blog.example.com", "/").await.status, 200);
        }
        let got = new.requests() - before;
        assert_eq!(got < ASKED * 3 / 10, is_slow, "{got} of {ASKED} with {mesh} and {app:?}");
    }
}

/// Tests that look at what no row does: in which file, and at which settings.
const ELSEWHERE: &[(&str, &str, &[&str])] = &[
    (
        "router/tests/router/settings/patience.rs",
        "a_container_that_does_not_accept_is_waited_for_as_long_as_settings_say",
        &["timeout/connect"],
    ),
    (
        "router/tests/router/settings/patience.rs",
        "a_head_is_waited_for_as_long_as_the_mesh_says",
        &["timeout/head"],
    ),
    (
        "router/tests/router/settings/patience.rs",
        "controllers_are_waited_for_as_long_as_the_mesh_says",
        &["controller/timeout/connect", "controller/timeout/read"],
    ),
    (
        "router/tests/router/settings/patience.rs",
        "builders_are_waited_for_as_long_as_the_mesh_says",
        &["builder/timeout/connect", "builder/timeout/tcp"],
    ),
    (
        "router/tests/router/settings/mod.rs",
        "metrics_are_silent_on_apps_where_the_mesh_says_so",
        &["metrics/apps"],
    ),
    (
        "router/tests/router/settings/mod.rs",
        "a_container_that_joins_others_gets_its_share_in_the_time_that_settings_say",
        &["slowStart"],
    ),
    (
        "router/tests/router/access.rs",
        "the_mesh_chooses_form_and_sample_at_any_time",
        &["accessLog", "accessLog/sample"],
    ),
    (
        "router/tests/router/announced.rs",
        "a_stranger_has_only_so_many_connections_and_a_load_balancer_any_number",
        &["connectionLimit", "proxyRealIpCidr"],
    ),
    ("router/tests/router/announced.rs", "an_announced_client_is_who_the_app_sees", &["proxyProtocol"]),
    (
        "router/tests/router/announced.rs",
        "builders_learn_who_pushes",
        &["builder/proxyProtocol", "git/proxyProtocol"],
    ),
    ("router/tests/router/buffering.rs", "a_slow_client_costs_no_container_anything", &["bufferRequests"]),
    ("router/tests/router/compression.rs", "an_app_chooses_its_codings", &["compression"]),
    ("router/tests/router/grpc.rs", "a_call_ends_with_its_status", &["protocol"]),
    ("router/tests/router/http2.rs", "without_http_2_nobody_speaks_it_unasked", &["http2"]),
    (
        "router/tests/router/passages.rs",
        "an_app_is_reached_at_its_own_port_for_as_long_as_it_has_one",
        &["tcp/port", "tcp/ports"],
    ),
    (
        "router/tests/router/passages.rs",
        "an_app_that_asks_for_it_learns_the_clients_address",
        &["tcp/proxyProtocol"],
    ),
    (
        "router/tests/router/passages.rs",
        "tls_is_passed_on_unopened_to_apps_that_answer_it_themselves",
        &["tls/passthrough"],
    ),
    ("router/tests/router/rules.rs", "requests_are_sent_to_https", &["enforceHTTPS"]),
    (
        "router/tests/router/rules.rs",
        "browsers_are_told_to_remember_https",
        &["hsts/enabled", "hsts/includeSubDomains"],
    ),
    (
        "router/tests/router/rules.rs",
        "an_app_under_maintenance_says_so",
        &["maintenance", "maintenance/page"],
    ),
    ("router/tests/router/routing.rs", "metrics_are_not_for_everybody_and_health_is", &["metrics/whitelist"]),
    (
        "router/tests/router/routing.rs",
        "more_visitors_find_a_place_as_soon_as_that_is_allowed",
        &["maxWorkerConnections"],
    ),
    ("router/src/router.rs", "the_last_tables_settings_say_how_many_cores_serve", &["workerProcesses"]),
    ("router/tests/router/rules.rs", "an_app_that_is_not_routable_is_not_there", &["routable"]),
    ("router/tests/router/rules.rs", "only_clients_on_the_list_come_in", &["whitelist"]),
    (
        "router/tests/router/rules.rs",
        "without_a_list_nobody_comes_in_where_lists_are_enforced",
        &["defaultWhitelist", "enforceWhitelist"],
    ),
    ("router/tests/router/rules.rs", "the_platforms_api_has_a_list_of_its_own", &["controller/whitelist"]),
    ("router/tests/router/rules.rs", "a_name_and_a_password_let_in", &["basicAuth"]),
    ("router/tests/router/rules.rs", "a_client_that_asks_too_often_waits", &["rateLimit", "rateLimit/burst"]),
    ("router/tests/router/rules.rs", "an_app_sets_the_size_of_bodies", &["bodySize"]),
    (
        "router/tests/router/rules.rs",
        "headers_of_requests_and_answers_are_changed",
        &["header/request/<Name>", "header/response/<Name>", "referrerPolicy", "requestStart"],
    ),
    (
        "router/tests/router/rules.rs",
        "attacks_are_stopped_where_that_is_wanted",
        &["firewall/enabled", "firewall/errorCode"],
    ),
    ("router/tests/router/rules.rs", "timeouts_and_trust_hold_from_the_next_request_on", &["timeout/answer"]),
    (
        "router/tests/router/rules.rs",
        "an_app_may_take_lines_without_carriage_returns",
        &["framing/allowBareLf"],
    ),
    (
        "router/tests/router/spreading.rs",
        "every_router_knows_the_cookies_and_arguments_of_all",
        &["affinityArg", "affinityCookie"],
    ),
    (
        "router/tests/router/spreading.rs",
        "a_container_whose_answers_are_errors_is_taken_out_where_that_is_set",
        &["ejectErrors"],
    ),
    ("router/tests/router/spreading.rs", "a_release_that_is_tried_out_gets_its_share", &["canary"]),
    (
        "router/tests/router/streams.rs",
        "an_answer_that_stops_is_given_up_though_its_client_is_there",
        &["timeout/idle"],
    ),
    ("router/tests/router/tls.rs", "an_app_is_visited_over_tls", &["sslCert", "sslKey"]),
    (
        "router/tests/router/tls.rs",
        "operators_choose_versions_and_tickets_without_a_restart",
        &["sslCiphers", "sslProtocols", "sslSessionTickets"],
    ),
    ("router/tests/router/tls.rs", "sessions_end_when_the_mesh_says", &["sslSessionTimeout"]),
    ("router/tests/router/waiting.rs", "as_many_wait_as_may_and_those_who_leave_make_room", &["queue"]),
    (
        "router/tests/router/waiting.rs",
        "a_visitor_of_an_app_that_does_not_come_up_is_told_when_to_come_again",
        &["queue/wait"],
    ),
    (
        "controller/tests/acme.rs",
        "an_account_is_bound_to_another_where_the_authority_wants_it",
        &["acme/eab/key", "acme/eab/keyId"],
    ),
    ("controller/tests/acme.rs", "a_domain_gets_a_certificate_by_a_handshake", &["acme/challenge"]),
    ("controller/tests/acme.rs", "a_wildcard_gets_a_certificate_by_dns", &["acme/dnsHook"]),
    (
        "controller/tests/acme.rs",
        "a_certificate_is_renewed_when_its_authority_suggests_it",
        &["acme/caCertificates", "acme/directory"],
    ),
    (
        "controller/tests/acme.rs",
        "apps_get_certificates_for_names_of_the_platform_where_that_is_set",
        &["acme/email", "acme/platformNames"],
    ),
    ("controller/tests/acme.rs", "no_more_orders_begin_in_an_hour_than_may", &["acme/ordersPerHour"]),
    (
        "controller/tests/api/certificates.rs",
        "automatic_certificates_are_listed_after_those_that_were_uploaded",
        &["acme/enabled"],
    ),
    ("model/src/acme/name.rs", "domains_get_certificates_where_operator_and_owner_want_it", &["tls/auto"]),
];

#[test]
fn every_setting_is_looked_at_somewhere() {
    let all = Setting::all().filter(|setting| setting.has_effect()).map(|setting| setting.name);
    let elsewhere = ELSEWHERE.iter().flat_map(|(_, _, settings)| settings.iter().copied());
    let looked_at: BTreeSet<_> = ROWS.iter().map(|row| row.key).chain(elsewhere).collect();
    assert_eq!(looked_at, all.collect());
    for (path, test, settings) in ELSEWHERE {
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        let text = std::fs::read_to_string(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(&format!("fn {test}(")), "{test} in {path}");
        for setting in *settings {
            let start = setting.split('<').next().unwrap_or(setting);
            assert!(text.contains(&format!("\"{start}")), "{setting} in {path}");
        }
    }
}
