//! A database in a file: what is acknowledged survives, reads go on beside writes, a full disk is named.

use deis_database::{Database, DatabaseError, NewUser, Slice};
use deis_model::AppId;

fn url(directory: &tempfile::TempDir) -> String {
    format!("sqlite://{}/deis.sqlite", directory.path().display())
}

async fn with_user(directory: &tempfile::TempDir) -> Database {
    let database = Database::open(&url(directory)).await.expect("the directory is writable");
    let ann = NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
    };
    database.create_user(ann).await.expect("the name is free");
    database
}

fn app(number: usize) -> AppId {
    AppId::parse(&format!("app-{number}")).expect("the id is valid")
}

async fn create(database: &Database, number: usize) -> Result<(), DatabaseError> {
    database.create_app(&app(number), "ann", &format!("app-{number}.example.com")).await.map(drop)
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let database = with_user(&directory).await;
    create(&database, 1).await.unwrap();
    // Not closed first: a killed process closes nothing either.
    let again = Database::open(&url(&directory)).await.unwrap();
    assert_eq!(again.apps().await.unwrap(), [app(1)]);
}

#[tokio::test]
async fn writers_and_readers_do_not_fail_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let database = with_user(&directory).await;
    let writers = (0..20).map(|number| {
        let database = database.clone();
        tokio::spawn(async move {
            create(&database, number).await.unwrap();
            database.desired(&app(number)).await.unwrap().unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(database.all_apps(Slice::first(100)).await.unwrap().total, 20);
}

#[tokio::test]
async fn a_change_that_is_abandoned_halfway_leaves_nothing_and_blocks_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let database = with_user(&directory).await;
    for number in 0..20 {
        let abandoned = create(&database, number);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(50 * number as u64), abandoned).await;
    }
    create(&database, 99).await.unwrap();
    for app in database.apps().await.unwrap() {
        assert!(database.config(&app).await.unwrap().is_some(), "{app} is whole");
    }
}

#[tokio::test]
async fn urls_of_other_databases_are_refused() {
    let error = Database::open("mysql://localhost/deis").await.unwrap_err();
    assert!(matches!(error, DatabaseError::Url { .. }));
    let error = Database::open("sqlite:///nonexistent/deis.sqlite").await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/deis.sqlite"), "{error}");
}
