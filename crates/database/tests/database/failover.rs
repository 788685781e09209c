//! A second server that follows the first and takes its place.

use deis_database::Database;

use crate::outage::{check_numbers, count_jobs, fill};
use deis_test_postgres::Server;

/// The URL that names both servers, the follower first.
fn both(url: &str, primary: &Server, follower: &Server) -> String {
    let (one, two) = (primary.address().to_string(), follower.address().to_string());
    url.replace(&one, &format!("{two},{one}"))
}

#[tokio::test]
async fn a_failover_in_mid_write_loses_and_repeats_nothing() {
    let Some(mut primary) = Server::start().await else { return };
    let url = primary.database().await;
    let follower = primary.follower().await;
    let database =
        Database::open(&both(&url, &primary, &follower)).await.expect("one of them is the primary");
    fill(&database).await;
    let counting = tokio::spawn(count_jobs(database.clone(), 300));
    while database.containers(&deis_model::AppId::parse("blog").unwrap()).await.unwrap().len() < 20 {
        tokio::task::yield_now().await;
    }
    primary.kill();
    follower.promote().await;
    let (acknowledged, unsure) = counting.await.unwrap();
    check_numbers(&database, &acknowledged, unsure).await;
}

#[tokio::test]
async fn a_follower_alone_takes_no_writes_and_says_so() {
    let Some(mut primary) = Server::start().await else { return };
    let url = primary.database().await;
    let follower = primary.follower().await;
    let database =
        Database::open(&both(&url, &primary, &follower)).await.expect("one of them is the primary");
    fill(&database).await;
    primary.kill();
    let error = database.apps().await.expect_err("no primary is there").to_string();
    assert!(error.contains(&format!("{}: it follows another server", follower.address())), "{error}");
    assert!(error.contains(&primary.address().to_string()), "{error}");
    follower.promote().await;
    while database.apps().await.is_err() {
        tokio::task::yield_now().await;
    }
    database.delete_all_tokens().await.expect("the new primary takes writes");
}
