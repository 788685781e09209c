//! Places fail: another is asked where that does no harm.

use std::time::Duration;

use deis_api::client::{CallError, InternalClient};
use reqwest::{Body, Method, StatusCode};

use crate::place::{Place, ask, breaking, client, refusing, silent};

#[tokio::test]
async fn an_address_that_refuses_is_passed_over_from_then_on() {
    let ((nobody, _guard), place) = (refusing(), Place::answering(200, "here").await);
    let client = client(&[nobody, place.address]);
    assert_eq!(ask(&client, Method::POST).await.unwrap(), "here");
    assert_eq!(client.base(), place.url());
    assert_eq!(ask(&client.clone(), Method::GET).await.unwrap(), "here");
    assert_eq!(place.asked(), 2);
}

#[tokio::test]
async fn the_address_that_works_is_kept() {
    let (first, second) = (Place::answering(200, "first").await, Place::answering(200, "second").await);
    let client = client(&[first.address, second.address]);
    for _ in 0..5 {
        assert_eq!(ask(&client, Method::GET).await.unwrap(), "first");
    }
    assert_eq!(second.asked(), 0);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again() {
    let (broken, place) = (breaking().await, Place::answering(200, "here").await);
    let client = client(&[broken, place.address]);
    let failed = ask(&client, Method::POST).await.unwrap_err();
    assert!(matches!(failed, CallError::Unreachable { .. }), "{failed}");
    assert_eq!(place.asked(), 0);
    // But the next request begins elsewhere.
    assert_eq!(ask(&client, Method::POST).await.unwrap(), "here");
}

#[tokio::test]
async fn what_can_be_repeated_is_sent_elsewhere_when_a_connection_breaks() {
    let (broken, place) = (breaking().await, Place::answering(200, "here").await);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_eq!(ask(&client(&[broken, place.address]), method).await.unwrap(), "here");
    }
}

#[tokio::test]
async fn an_empty_handed_answer_of_a_proxy_is_not_the_components() {
    for status in [502, 503] {
        let (proxy, place) = (Place::answering(status, "").await, Place::answering(200, "here").await);
        assert_eq!(ask(&client(&[proxy.address, place.address]), Method::GET).await.unwrap(), "here");
        let kept = ask(&client(&[proxy.address, place.address]), Method::POST).await.unwrap_err();
        assert_eq!(kept.status().map(|status| status.as_u16()), Some(status));
    }
}

#[tokio::test]
async fn a_component_that_says_why_not_is_believed() {
    let (busy, place) = (Place::answering(503, "still learning").await, Place::answering(200, "here").await);
    let refused = ask(&client(&[busy.address, place.address]), Method::GET).await.unwrap_err();
    assert!(refused.to_string().ends_with("still learning"), "{refused}");
    assert_eq!((refused.status(), place.asked()), (Some(StatusCode::SERVICE_UNAVAILABLE), 0));
}

#[tokio::test]
async fn each_is_asked_once_when_nobody_is_there() {
    let (first, second) = (Place::answering(502, "").await, Place::answering(503, "").await);
    let refused = ask(&client(&[first.address, second.address]), Method::GET).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!((first.asked(), second.asked()), (1, 1));
    let ((nobody, _guard), (neither, _other)) = (refusing(), refusing());
    let unreachable = ask(&client(&[nobody, neither]), Method::GET).await.unwrap_err();
    assert!(matches!(unreachable, CallError::Unreachable { .. }), "{unreachable}");
    let unreachable = ask(&client(&[]), Method::GET).await.unwrap_err();
    assert!(matches!(unreachable, CallError::Unreachable { .. }), "{unreachable}");
}

#[tokio::test]
async fn a_place_that_does_not_answer_in_time_is_not_where_the_next_request_begins() {
    let (silent, place) = (silent().await, Place::answering(200, "here").await);
    let client = client(&[silent, place.address]);
    let request = client.request(Method::GET, "/").timeout(Duration::from_millis(50));
    client.send(request).await.unwrap_err();
    assert_eq!(place.asked(), 0);
    assert_eq!(ask(&client, Method::GET).await.unwrap(), "here");
}

#[tokio::test]
async fn a_stream_is_sent_once() {
    let ((nobody, _guard), place) = (refusing(), Place::answering(200, "here").await);
    let client = client(&[nobody, place.address]);
    let stream = || Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>("part")]));
    let send = async || client.send(client.request(Method::PUT, "/blob").body(stream())).await;
    assert!(matches!(send().await, Err(CallError::Unreachable { .. })));
    assert_eq!(send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn one_address_works_as_ever() {
    let place = Place::answering(200, "here").await;
    let _ = client(&[]);
    let client = InternalClient::new(&format!("{}/", place.url()), "key");
    assert_eq!(ask(&client, Method::POST).await.unwrap(), "here");
    assert_eq!(client.base(), place.url());
}
