//! Outages: calls fail in time, saying what is away, and work again by themselves.

use std::time::Duration;

use deis_database::{Database, DatabaseError, NewUser, Slice};
use deis_model::{AppId, ReleaseVersion};

use crate::proxy::Proxy;
use deis_test_postgres::Server;

/// Longer than any call may take, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(90);

fn blog() -> AppId {
    AppId::parse("blog").expect("the id is valid")
}

/// Makes an app.
pub(crate) async fn fill(database: &Database) {
    let ann = NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
    };
    database.create_user(ann).await.expect("the name is free");
    database.create_app(&blog(), "ann", "blog.example.com").await.expect("the id is free");
}

async fn in_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, call).await.expect("a call ends in time")
}

/// Fails because the server at `address` does not answer.
fn check_away<T: std::fmt::Debug>(result: Result<T, DatabaseError>, address: &str) {
    let error = result.expect_err("nothing answers");
    assert!(matches!(error, DatabaseError::Away { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(address) && !text.contains("cr@t") && !text.contains("%40"), "{text}");
}

#[tokio::test]
async fn while_the_server_is_stopped_calls_say_so_and_later_ones_work() {
    let Some(mut server) = Server::start().await else { return };
    let address = server.address().to_string();
    let database = Database::open(&server.database().await).await.unwrap();
    fill(&database).await;
    server.stop();
    let (read, written) =
        in_time(async { tokio::join!(database.apps(), database.delete_all_tokens()) }).await;
    check_away(read, &address);
    check_away(written, &address);
    server.run_again().await;
    assert_eq!(database.apps().await.unwrap(), [blog()]);
    database.delete_all_tokens().await.unwrap();
}

#[tokio::test]
async fn a_server_that_fell_silent_counts_as_away() {
    let Some(server) = Server::start().await else { return };
    let proxy = Proxy::start(server.address()).await;
    let url = proxy.url(&server.database().await, server.address());
    let database = Database::open(&url).await.unwrap();
    fill(&database).await;
    proxy.flow(false);
    let (read, written) =
        in_time(async { tokio::join!(database.apps(), database.delete_all_tokens()) }).await;
    check_away(read, "no answer");
    check_away(written, "no answer");
    proxy.flow(true);
    assert_eq!(in_time(database.apps()).await.unwrap(), [blog()]);
    in_time(database.delete_all_tokens()).await.unwrap();
}

#[tokio::test]
async fn opening_says_what_does_not_answer() {
    let Some(mut server) = Server::start().await else { return };
    let (address, url) = (server.address().to_string(), server.database().await);
    let wrong = url.replace("s3cr%40t", "guess");
    let error = in_time(Database::open(&wrong)).await.unwrap_err().to_string();
    assert!(error.contains("password") && !error.contains("guess"), "{error}");
    server.kill();
    check_away(in_time(Database::open(&url)).await, &address);
}

#[tokio::test]
async fn a_server_that_is_killed_in_mid_write_loses_and_repeats_nothing() {
    let Some(mut server) = Server::start().await else { return };
    let database = Database::open(&server.database().await).await.unwrap();
    fill(&database).await;
    let counting = tokio::spawn(count_jobs(database.clone(), 400));
    for _ in 0..3 {
        let before = total(&database).await;
        // In the middle of it: some were written since the last crash, more are to come.
        while total(&database).await < before + 20 && !counting.is_finished() {
            tokio::task::yield_now().await;
        }
        server.kill();
        server.run_again().await;
    }
    let (acknowledged, unsure) = counting.await.unwrap();
    check_numbers(&database, &acknowledged, unsure).await;
}

/// How many job numbers were handed out.
async fn total(database: &Database) -> u32 {
    let containers = loop {
        match database.containers(&blog()).await {
            Ok(containers) => break containers,
            Err(error) => assert!(matches!(error, DatabaseError::Away { .. }), "{error}"),
        }
    };
    containers.iter().map(|container| container.num).max().unwrap_or(0)
}

/// Takes job numbers until `wanted` were acknowledged: those, and of how many calls nobody knows what became.
pub(crate) async fn count_jobs(database: Database, wanted: usize) -> (Vec<u32>, usize) {
    let (mut acknowledged, mut unsure) = (Vec::new(), 0);
    while acknowledged.len() < wanted {
        match database.next_job(&blog(), ReleaseVersion::FIRST).await {
            Ok(number) => acknowledged.push(number),
            Err(DatabaseError::Away { .. }) => {}
            Err(DatabaseError::Unconfirmed { .. }) => unsure += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (acknowledged, unsure)
}

/// Every number was handed out once, and none was taken without somebody knowing.
pub(crate) async fn check_numbers(database: &Database, acknowledged: &[u32], unsure: usize) {
    assert!(acknowledged.is_sorted_by(|one, next| one < next), "no number comes twice: {acknowledged:?}");
    let last = *acknowledged.last().expect("some were acknowledged");
    let taken = last as usize;
    assert!(
        taken <= acknowledged.len() + unsure,
        "{taken} taken, {} known, {unsure} unsure",
        acknowledged.len()
    );
    assert_eq!(total(database).await, last);
    assert_eq!(database.all_apps(Slice::first(9)).await.unwrap().total, 1);
}
