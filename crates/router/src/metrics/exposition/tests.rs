use std::collections::BTreeSet;
use std::time::Duration;

use deis_model::{AppId, ReleaseVersion};
use http::StatusCode;
use http_body_util::BodyExt;

use super::*;
use crate::endpoint::Endpoint;
use crate::metrics::{Exchange, Tallies};

fn service(app: &str, release: u32) -> Arc<Service> {
    let (app, release) = (AppId::parse(app).unwrap(), ReleaseVersion::new(release));
    let tallies = Tallies::new(Some(&app), release, std::iter::empty(), None);
    let endpoint = Endpoint::new(([127, 0, 0, 1], 1).into(), None, 1, Arc::default());
    let endpoint = Arc::new(endpoint.counted(tallies.newest()));
    Arc::new(Service::new(None, Arc::default(), vec![endpoint], tallies))
}

fn visit(service: &Service, times: usize) {
    for _ in 0..times {
        service.tallies.newest().record(&Exchange {
            status: StatusCode::OK,
            first_byte: Duration::from_millis(3),
            whole: Duration::from_millis(5),
            received: 10,
            sent: 100,
        });
    }
}

async fn text(services: Vec<Arc<Service>>) -> String {
    let page = Exposition::new("general 1\n".to_owned(), &services);
    String::from_utf8(page.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn check(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} in {text}");
    }
}

#[tokio::test]
async fn each_release_has_its_series() {
    let blog = service("blog", 2);
    visit(&blog, 3);
    blog.tallies.newest().note(Event::Retry);
    let _flight = blog.endpoints[0].board().unwrap();
    let text = text(vec![blog]).await;
    check(
        &text,
        &[
            "general 1",
            "# TYPE deis_app_requests_total counter",
            "deis_app_requests_total{app=\"blog\",release=\"v2\",class=\"2xx\"} 3",
            "deis_app_first_byte_seconds_bucket{app=\"blog\",release=\"v2\",le=\"0.002\"} 0",
            "deis_app_first_byte_seconds_bucket{app=\"blog\",release=\"v2\",le=\"0.004\"} 3",
            "deis_app_first_byte_seconds_bucket{app=\"blog\",release=\"v2\",le=\"+Inf\"} 3",
            "deis_app_request_seconds_sum{app=\"blog\",release=\"v2\"} 0.015",
            "deis_app_request_seconds_count{app=\"blog\",release=\"v2\"} 3",
            "deis_app_received_bytes_total{app=\"blog\",release=\"v2\"} 30",
            "deis_app_sent_bytes_total{app=\"blog\",release=\"v2\"} 300",
            "deis_app_requests_in_flight{app=\"blog\",release=\"v2\"} 1",
            "deis_app_retries_total{app=\"blog\",release=\"v2\"} 1",
        ],
    );
    assert!(!text.contains("deis_app_queued_total{"), "what never happened takes no line");
}

#[tokio::test]
async fn what_is_under_way_to_a_release_that_is_tried_out_is_its_own() {
    let (app, versions) = (AppId::parse("blog").unwrap(), [2, 3].map(ReleaseVersion::new));
    let serving = versions.into_iter().flatten();
    let tallies = Tallies::new(Some(&app), versions[0], serving, None);
    let [stable, canary] = versions.map(|version| {
        let endpoint = Endpoint::new(([127, 0, 0, 1], 1).into(), None, 1, Arc::default());
        Arc::new(endpoint.counted(tallies.of(version)))
    });
    let _flights = [stable.board().unwrap(), canary.board().unwrap(), canary.board().unwrap()];
    tallies.iter().for_each(|tally| tally.note(Event::Retry));
    let service = Service::new(None, Arc::default(), vec![stable], tallies);
    let text = text(vec![service.trying(vec![canary], Arc::default()).into()]).await;
    check(
        &text,
        &[
            "deis_app_requests_in_flight{app=\"blog\",release=\"v2\"} 1",
            "deis_app_requests_in_flight{app=\"blog\",release=\"v3\"} 2",
        ],
    );
}

#[tokio::test]
async fn apps_that_nobody_visited_take_no_room() {
    let text = text(vec![service("idle", 2)]).await;
    assert!(!text.contains("idle"), "{text}");
}

#[tokio::test]
async fn many_apps_come_in_pieces_and_each_family_in_one() {
    let services: Vec<_> = (0..300).map(|number| service(&format!("app-{number}"), 2)).collect();
    services.iter().for_each(|service| visit(service, 1));
    let mut page = Exposition::new(String::new(), &services);
    let mut pieces = 0;
    while let Some(piece) = page.piece() {
        assert!(piece.len() < 2 * PIECE_BYTES);
        pieces += 1;
    }
    assert!(pieces > 10);
    let text = text(services).await;
    let (mut seen, mut last) = (BTreeSet::new(), "");
    for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(seen.insert(name) && name != last, "{name} begins twice");
        last = name;
    }
    assert_eq!(text.matches("deis_app_request_seconds_count{").count(), 300);
}
