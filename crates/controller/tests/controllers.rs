//! Several controllers on one database and one engine that only pretends.

// A test's panic is its report.
#![allow(clippy::unwrap_used)]

#[path = "controllers/engine.rs"]
mod engine;
#[path = "controllers/fleet.rs"]
mod fleet;
#[path = "controllers/members.rs"]
mod members;
#[path = "controllers/postgres.rs"]
mod postgres;
#[path = "controllers/surroundings.rs"]
mod surroundings;

use serde_json::json;

use fleet::{Fleet, build};
use members::Plane;

#[tokio::test]
async fn a_controller_that_follows_names_the_one_that_leads() {
    let fleet = Fleet::start(2).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    let routes = json!({"router": "r", "epoch": "", "applied": 0, "drained": 0, "hold": false});
    let report = json!({"lease_seconds": 60, "revision": "1", "endpoints": []});
    for (method, path, body) in [
        ("POST", "/internal/routes", &routes),
        ("PUT", "/internal/hosts/other/endpoints", &report),
        ("DELETE", "/internal/hosts/other", &json!(null)),
        ("POST", "/internal/deploys/blog", &json!({"goal": {"release": 1}, "hold_millis": 1})),
    ] {
        let answer = fleet.call(follower, method, path, body).await;
        assert_eq!((answer.status.as_u16(), answer.leader.as_str()), (421, fleet.url(leader)), "{path}");
        assert_ne!(fleet.call(leader, method, path, body).await.status, 421, "{path}");
    }
}

#[tokio::test]
async fn a_host_is_forgotten_when_an_operator_says_so() {
    let fleet = Fleet::start(1).await;
    let (leader, _) = fleet.leader_and_follower().await;
    let report = json!({"lease_seconds": 60, "revision": "1", "endpoints": []});
    let path = "/internal/hosts/other";
    assert_eq!(fleet.call(leader, "PUT", &format!("{path}/endpoints"), &report).await.status, 204);
    while !fleet.knows_host("other").await {
        tokio::task::yield_now().await;
    }
    assert_eq!(fleet.call(leader, "DELETE", path, &json!(null)).await.status, 204);
    assert!(!fleet.knows_host("other").await);
}

#[tokio::test]
async fn a_controller_that_follows_answers_like_the_one_that_leads() {
    let fleet = Fleet::start(2).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    fleet.push(follower, "good").await;
    fleet.check(follower, "/v1/apps/blog/scale", &json!({"web": 3}), 204, "").await;
    assert_eq!(fleet.names(), ["blog_v2.web.1", "blog_v2.web.2", "blog_v2.web.3"]);
    fleet
        .check(follower, "/v1/apps/blog/builds", &build("crash"), 503, "web.1 keeps exiting with status 1")
        .await;
    let config = json!({"values": {"COLOUR": "blue"}});
    fleet.check(follower, "/v1/apps/blog/config", &config, 201, "blue").await;
    fleet.check(follower, "/v1/apps/blog/releases/rollback", &json!({"version": 2}), 201, "5").await;
    fleet.check(follower, "/v1/apps/blog/run", &json!({"command": "date"}), 200, "[0").await;
    let before = fleet.ids();
    fleet.check(follower, "/v1/apps/blog/containers/restart", &json!({}), 200, "web").await;
    assert!(fleet.ids().is_disjoint(&before), "every container is another one");
    let path = "/v1/apps/blog/containers/";
    // What is replaced is listed until it is gone.
    while fleet.read(follower, path).await["count"] != 3 {
        tokio::task::yield_now().await;
    }
    let (here, there) = (fleet.read(follower, path).await, fleet.read(leader, path).await);
    assert_eq!(here, there);
    assert_eq!(fleet.changes_by(follower), Vec::<String>::new(), "only the leader changes the engine");
}

#[tokio::test]
async fn routers_are_told_of_settings_and_certificates() {
    let mut fleet = Fleet::start(2).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    fleet.push(follower, "good").await;
    fleet.check(follower, "/v1/apps/blog/routing", &json!({"bodySize": "5m"}), 200, "5m").await;
    fleet.check(follower, "/v1/apps/blog/domains", &json!({"domain": "*.blog.org"}), 201, "blog").await;
    let pair = rcgen::generate_simple_self_signed(vec!["*.blog.org".to_owned()]).unwrap();
    let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let upload = json!({"certificate": chain, "key": key, "common_name": "blog"});
    fleet.check(follower, "/v1/certs", &upload, 201, "*.blog.org").await;
    let mesh = json!({"values": {"sslCert": chain, "sslKey": key}});
    fleet.check(leader, "/internal/config/router", &mesh, 200, "(hidden)").await;
    let is_told = |fleet: &Fleet| {
        let (Some(blog), platform) = fleet.told() else { return false };
        let has_domain = blog.hosts == ["*.blog.org", "blog.example.com"];
        let has_setting = blog.settings.get("bodySize").is_some_and(|value| value == "5m");
        let has_certificate = blog.certificates.len() == 1 && blog.certificates[0].key == key;
        let is_told = platform.settings.get("sslKey") == Some(&key) && platform.ticket_keys.len() == 1;
        has_domain && has_setting && has_certificate && is_told
    };
    fleet.until("the router is told", || is_told(&fleet)).await;
    let (before, keys) = (fleet.router_epoch(), fleet.told().1.ticket_keys);
    fleet.stop(leader).await;
    fleet.until("another one leads", || fleet.router_epoch() != before).await;
    assert!(is_told(&fleet), "the next leader tells the same from the first moment on");
    assert!(fleet.told().1.ticket_keys == keys);
}

#[tokio::test]
async fn a_controller_that_ends_hands_over() {
    let mut fleet = Fleet::start(3).await;
    for _ in 0..2 {
        let (leader, follower) = fleet.leader_and_follower().await;
        fleet.push(follower, "good").await;
        fleet.stop(leader).await;
        let changes = fleet.changes_by(leader);
        fleet.push(follower, "good").await;
        assert_eq!(fleet.changes_by(leader), changes, "it changes nothing any more");
    }
    assert!(fleet.router_lost().is_empty(), "{:?} lost all endpoints", fleet.router_lost());
}

#[tokio::test]
async fn nothing_is_withdrawn_when_the_leader_dies() {
    let mut fleet = Fleet::start(2).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    fleet.push(leader, "good").await;
    fleet.check(leader, "/v1/apps/blog/scale", &json!({"web": 2}), 204, "").await;
    let epoch = fleet.router_epoch();
    fleet.kill(leader);
    fleet.until("the router follows the next leader", || fleet.router_epoch() != epoch).await;
    assert_eq!(fleet.routed(), ["blog_v2.web.1", "blog_v2.web.2"]);
    assert!(fleet.router_lost().is_empty(), "{:?} lost all endpoints", fleet.router_lost());
    assert_eq!(fleet.changes_by(follower), Vec::<String>::new(), "all ran already");
}

#[tokio::test]
async fn a_deploy_goes_on_when_the_leader_dies_in_the_middle() {
    let mut fleet = Fleet::start(2).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    let pushing = fleet.pushing(follower, "slow");
    fleet.until("the leader pulls the image", || fleet.engine.pulls(leader) > 0).await;
    fleet.kill(leader);
    fleet.engine.has_pulled();
    assert_eq!(pushing.await.unwrap().status, 201);
    assert_eq!(fleet.names(), ["blog_v2.web.1"]);
    assert_eq!(fleet.changes_by(leader), Vec::<String>::new());
    assert_eq!(fleet.changes_by(follower), ["apply blog_v2.web"], "once");
    assert_eq!(fleet.routed(), ["blog_v2.web.1"]);
}

#[tokio::test]
async fn a_restart_goes_on_when_the_leader_dies_in_the_middle() {
    let mut fleet = Fleet::start(2).await;
    let (leader, follower) = fleet.leader_and_follower().await;
    fleet.push(leader, "good").await;
    fleet.check(leader, "/v1/apps/blog/scale", &json!({"web": 6}), 204, "").await;
    let before = fleet.ids();
    let restarting = fleet.calling(follower, "/v1/apps/blog/containers/restart", &json!({}));
    fleet.until("some are new", || fleet.ids().intersection(&before).count() < before.len()).await;
    fleet.kill(leader);
    let answer = restarting.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    fleet.until("the extra ones have gone", || fleet.names().len() == 6).await;
    assert!(fleet.ids().is_disjoint(&before), "every container is another one");
    for number in 1..=6 {
        assert_eq!(fleet.engine.removals(&format!("blog_v2.web.{number}")), 1, "web.{number}");
    }
    assert!(fleet.router_lost().is_empty(), "{:?} lost all endpoints", fleet.router_lost());
}

#[tokio::test]
async fn each_call_is_answered_only_to_the_roles_that_it_is_for() {
    let plane = Plane::start().await;
    let routes = json!({"router": "r", "epoch": "", "applied": 0, "drained": 0, "hold": false});
    let report = json!({"lease_seconds": 60, "revision": "1", "endpoints": []});
    let deploy = json!({"goal": {"release": 1}, "hold_millis": 1});
    let nothing = json!(null);
    for (method, path, body, callers) in [
        ("POST", "/internal/routes", &routes, ["router", ""]),
        ("PUT", "/internal/hosts/here/endpoints", &report, ["publisher", ""]),
        ("PUT", "/internal/hosts/elsewhere/endpoints", &report, ["", ""]),
        ("DELETE", "/internal/hosts/elsewhere", &nothing, ["deisctl", ""]),
        ("POST", "/internal/deploys/blog", &deploy, ["controller", ""]),
        ("GET", "/internal/leader", &nothing, ["controller", ""]),
        ("GET", "/internal/apps", &nothing, ["builder", ""]),
        ("GET", "/internal/keys/00", &nothing, ["builder", ""]),
        ("POST", "/v1/hooks/push", &nothing, ["builder", ""]),
        ("GET", "/internal/config/controller", &nothing, ["deisctl", ""]),
        ("POST", "/internal/admins", &nothing, ["deisctl", ""]),
        ("GET", "/v1/apps/", &nothing, ["router", "deisctl"]),
    ] {
        for role in members::ROLES {
            let is_refused = plane.call(role, method, path, body).await == 403;
            assert_eq!(is_refused, !callers.contains(&role), "{method} {path} by a {role}");
        }
    }
    assert_eq!(plane.call("router", "GET", "/healthz", &nothing).await, 200);
}
