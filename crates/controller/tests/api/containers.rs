//! Containers: listing and restarting.

use serde_json::Value;

use super::platform::Platform;

async fn scaled() -> Platform {
    let platform = Platform::start().await.with_build().await;
    platform.check("bob", "POST /v1/apps/blog/scale/", r#"{"cmd": 0, "web": 2, "worker": 1}"#, 204, "").await;
    platform
}

fn names(containers: &Value) -> String {
    let name = |c: &Value| format!("{}.{}", c["type"].as_str().unwrap(), c["num"]);
    containers.as_array().unwrap().iter().map(name).collect::<Vec<_>>().join(" ")
}

async fn check_restart(path: &str, expected: &str) {
    let platform = scaled().await;
    let answer = platform.check("bob", &format!("POST /v1/apps/blog/containers/{path}"), "", 200, "…").await;
    assert_eq!(names(&answer.json()), expected, "{path}");
}

#[tokio::test]
async fn a_container_is_shown_as_clients_expect_it() {
    let platform = scaled().await;
    let page = platform.check("bob", "GET /v1/apps/blog/containers/?page_size=2", "", 200, "…").await.json();
    assert_eq!((page["count"].as_u64(), names(&page["results"]).as_str()), (Some(3), "web.1 web.2"));
    let web = platform.check("bob", "GET /v1/apps/blog/containers/web/2/", "", 200, "…").await.json();
    assert_eq!((web["release"].as_str(), web["state"].as_str()), (Some("v2"), Some("up")));
    assert_eq!((web["app"].as_str(), web["owner"].as_str()), (Some("blog"), Some("bob")));
    assert_eq!(page["results"][1], web);
    let page = platform.check("bob", "GET /v1/apps/blog/containers/worker/", "", 200, "…").await.json();
    assert_eq!(names(&page["results"]), "worker.1");
    for path in ["web/3", "web/x", "clock/1", "run/1"] {
        platform.check("bob", &format!("GET /v1/apps/blog/containers/{path}/"), "", 404, "…").await;
    }
}

#[tokio::test]
async fn one_off_containers_are_listed_only_by_their_type() {
    let platform = scaled().await;
    platform.check("bob", "POST /v1/apps/blog/run", r#"{"command": "ls"}"#, 200, "…").await;
    let all = platform.call("bob", "GET /v1/apps/blog/containers/", "").await.json();
    assert_eq!(names(&all["results"]), "web.1 web.2 worker.1");
    let run = platform.call("bob", "GET /v1/apps/blog/containers/run/", "").await.json();
    assert_eq!(
        (names(&run["results"]).as_str(), run["results"][0]["state"].as_str()),
        ("run.1", Some("destroyed"))
    );
}

#[tokio::test]
async fn matching_containers_are_restarted() {
    check_restart("restart/", "web.1 web.2 worker.1").await;
    check_restart("web/restart/", "web.1 web.2").await;
    check_restart("web/2/restart/", "web.2").await;
    check_restart("web/2/restart", "web.2").await;
    check_restart("web/9/restart/", "").await;
    check_restart("clock/restart/", "").await;
}

#[tokio::test]
async fn a_failed_restart_answers_503() {
    let platform = scaled().await;
    platform.deploys.fail(Some("no"));
    platform.check("bob", "POST /v1/apps/blog/containers/restart/", "", 503, r#"{"detail":"no"}"#).await;
}

#[tokio::test]
async fn containers_follow_releases() {
    let platform = scaled().await;
    platform.check("bob", "POST /v1/apps/blog/config/", "", 201, "…").await;
    let page = platform.call("bob", "GET /v1/apps/blog/containers/", "").await.json();
    let releases: Vec<&str> =
        page["results"].as_array().unwrap().iter().map(|c| c["release"].as_str().unwrap()).collect();
    assert_eq!(releases, ["v3", "v3", "v3"]);
}
