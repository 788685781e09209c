//! Several writers at a time, as several controllers are: what one writer alone may rely on holds for all.

use std::collections::BTreeMap;

use deis_database::{Database, DatabaseError, NewBuild, NewUser, Slice};
use deis_model::{AppId, ConfigChange, Formation, ProcessType, Procfile, ReleaseState};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    of_releases_that_are_made_at_once_one_is_pending,
    release_numbers_are_neither_used_twice_nor_left_out,
    config_changes_add_up,
    scaling_one_process_type_leaves_the_others,
    job_numbers_are_handed_out_once,
    only_one_of_many_first_users_is_administrator,
    a_name_is_taken_once,
}

/// How many write at the same time.
const WRITERS: u32 = 12;

fn blog() -> AppId {
    AppId::parse("blog").expect("the id is valid")
}

fn user(username: String) -> NewUser {
    NewUser {
        username,
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
    }
}

fn build(number: u32) -> NewBuild {
    let web = ProcessType::parse("web").expect("the type is valid");
    NewBuild {
        owner: "ann".to_owned(),
        image: format!("example/blog:{number}"),
        sha: "0123".to_owned(),
        procfile: Procfile(BTreeMap::from([(web, "run".to_owned())])),
        dockerfile: String::new(),
    }
}

/// A database with an app, as two processes have it.
async fn with_blog(databases: &Databases) -> (Database, Database) {
    let (one, two) = databases.open_twice().await;
    one.create_user(user("ann".to_owned())).await.expect("the name is free");
    one.create_app(&blog(), "ann", "blog.example.com").await.expect("the id is free");
    (one, two)
}

/// Runs `write` for all writers at once, half of them on each handle.
async fn all_at_once<T, F>((one, two): &(Database, Database), write: fn(Database, u32) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks = (0..WRITERS).map(|number| {
        let database = if number % 2 == 0 { one } else { two };
        tokio::spawn(write(database.clone(), number))
    });
    let mut results = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        results.push(task.await.expect("no writer panics"));
    }
    results
}

async fn of_releases_that_are_made_at_once_one_is_pending(databases: Databases) {
    let both = with_blog(&databases).await;
    let results =
        all_at_once(
            &both,
            |database, number| async move { database.release_build(&blog(), build(number)).await },
        )
        .await;
    let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refusal in refused {
        assert!(matches!(refusal, Err(DatabaseError::Busy { .. })), "{refusal:?}");
    }
    assert_eq!(both.0.releases(&blog(), Slice::first(9)).await.unwrap().total, 2);
    assert_eq!(
        both.0.builds(&blog(), Slice::first(9)).await.unwrap().total,
        1,
        "a refused build leaves no row"
    );
}

async fn release_numbers_are_neither_used_twice_nor_left_out(databases: Databases) {
    let both = with_blog(&databases).await;
    all_at_once(&both, |database, number| async move {
        let released = loop {
            match database.release_build(&blog(), build(number)).await {
                Ok(released) => break released.release.version,
                Err(DatabaseError::Busy { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        match number % 3 {
            0 => database.mark_failed(&blog(), released, "crashed").await.unwrap(),
            _ => database.mark_deployed(&blog(), released).await.unwrap(),
        }
    })
    .await;
    let releases = both.1.releases(&blog(), Slice::first(99)).await.unwrap().items;
    let numbers: Vec<u32> = releases.iter().map(|release| release.version.number()).collect();
    assert_eq!(numbers, (1..=WRITERS + 1).rev().collect::<Vec<_>>());
    assert!(releases.iter().all(|release| release.state != ReleaseState::Pending));
}

async fn config_changes_add_up(databases: Databases) {
    let both = with_blog(&databases).await;
    all_at_once(&both, |database, number| async move {
        let change = format!(r#"{{"values": {{"KEY_{number}": "1"}}}}"#);
        let change = ConfigChange::parse(&serde_json::from_str(&change).expect("it is JSON"));
        let change = change.expect("the change is valid");
        database.release_config(&blog(), "ann", &change).await.expect("nothing is pending without a build");
    })
    .await;
    let config = both.0.config(&blog()).await.unwrap().unwrap();
    assert_eq!(config.values.0.len(), WRITERS as usize);
    assert_eq!(both.0.releases(&blog(), Slice::first(1)).await.unwrap().total, u64::from(WRITERS) + 1);
}

async fn scaling_one_process_type_leaves_the_others(databases: Databases) {
    let both = with_blog(&databases).await;
    all_at_once(&both, |database, number| async move {
        let process = ProcessType::parse(&format!("worker{number}")).expect("the type is valid");
        database.scale(&blog(), &Formation::from([(process, number + 1)])).await.unwrap();
    })
    .await;
    let formation = both.1.app(&blog()).await.unwrap().unwrap().formation;
    let mut numbers: Vec<u32> = formation.values().copied().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=WRITERS).collect::<Vec<_>>());
}

async fn job_numbers_are_handed_out_once(databases: Databases) {
    let both = with_blog(&databases).await;
    let mut numbers = all_at_once(&both, |database, _| async move {
        database.next_job(&blog(), deis_model::ReleaseVersion::FIRST).await.unwrap()
    })
    .await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=WRITERS).collect::<Vec<_>>());
}

async fn only_one_of_many_first_users_is_administrator(databases: Databases) {
    let both = databases.open_twice().await;
    let users = all_at_once(&both, |database, number| async move {
        database.create_user(user(format!("user-{number}"))).await.unwrap()
    })
    .await;
    assert_eq!(users.iter().filter(|user| user.is_admin).count(), 1);
    let mut ids: Vec<i64> = users.iter().map(|user| user.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=i64::from(WRITERS)).collect::<Vec<_>>());
}

async fn a_name_is_taken_once(databases: Databases) {
    let both = databases.open_twice().await;
    let results =
        all_at_once(&both, |database, _| async move { database.create_user(user("ann".to_owned())).await })
            .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let taken = |result: &&Result<_, _>| matches!(result, Err(DatabaseError::Taken));
    assert_eq!(results.iter().filter(taken).count(), WRITERS as usize - 1);
}
