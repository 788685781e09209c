//! Only the leader answers some calls: it is found, remembered, and found again.

use reqwest::{Method, StatusCode};

use crate::place::{PATIENCE, Place, ask, client, refusing};

#[tokio::test]
async fn the_leader_that_a_follower_names_is_asked_and_remembered() {
    let (leader, other) = (Place::answering(200, "leader").await, Place::following(None).await);
    let follower = Place::following(Some(leader.url())).await;
    let client = client(&[follower.address, other.address, leader.address]);
    for _ in 0..3 {
        assert_eq!(ask(&client, Method::POST).await.unwrap(), "leader");
    }
    assert_eq!((follower.asked(), other.asked(), leader.asked()), (1, 0, 3));
}

#[tokio::test]
async fn nobody_is_asked_who_is_not_one_of_the_peers() {
    let (stranger, leader) = (Place::answering(200, "stranger").await, Place::answering(200, "leader").await);
    // Another host than that of the peers, by its name.
    let foreign = format!("http://localhost:{}", stranger.address.port());
    let follower = Place::following(Some(foreign)).await;
    let client = client(&[follower.address, leader.address]);
    assert_eq!(ask(&client, Method::GET).await.unwrap(), "leader");
    assert_eq!(stranger.asked(), 0);
}

#[tokio::test]
async fn the_others_are_asked_when_the_leader_is_not_known() {
    let (follower, leader) = (Place::following(None).await, Place::answering(200, "leader").await);
    let client = client(&[follower.address, leader.address]);
    assert_eq!(ask(&client, Method::POST).await.unwrap(), "leader");
}

#[tokio::test]
async fn a_dead_leader_is_not_waited_for() {
    let (nobody, _guard) = refusing();
    let (old, new) =
        (Place::following(Some(format!("http://{nobody}"))).await, Place::answering(200, "new").await);
    assert_eq!(ask(&client(&[old.address, nobody, new.address]), Method::POST).await.unwrap(), "new");
}

#[tokio::test]
async fn an_election_is_waited_for() {
    let (first, second) = (Place::following(None).await, Place::following(None).await);
    let client = client(&[first.address, second.address]);
    let asking = tokio::spawn(async move { ask(&client, Method::POST).await });
    let elected = async {
        while second.asked() == 0 {
            tokio::task::yield_now().await;
        }
        second.lead();
    };
    tokio::time::timeout(PATIENCE, elected).await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap(), "leader");
}

#[tokio::test]
async fn a_call_ends_when_nobody_leads_for_long() {
    let (first, second) = (Place::following(None).await, Place::following(None).await);
    let refused = ask(&client(&[first.address, second.address]), Method::POST).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::MISDIRECTED_REQUEST));
    assert_eq!((first.asked(), second.asked()), (4, 4));
}

#[tokio::test]
async fn two_that_name_each_other_do_not_keep_a_call_going_forever() {
    let (first, second) = (Place::following(None).await, Place::following(None).await);
    let third = Place::following(Some(first.url())).await;
    let refused =
        ask(&client(&[third.address, first.address, second.address]), Method::POST).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::MISDIRECTED_REQUEST));
}
