//! A disk that is full.

use super::*;
use crate::NewUser;
use crate::query::query;

async fn add_user(database: &Database, number: u32) -> Result<(), DatabaseError> {
    let user = NewUser {
        username: format!("user-{number}"),
        email: "x".repeat(2000),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
    };
    database.create_user(user).await.map(drop)
}

async fn limit_pages(database: &Database, sql: &'static str) {
    let mut writer = database.writer(Instant::now()).await.unwrap();
    writer.rows(&query(sql)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_named_and_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deis.sqlite").display().to_string();
    let database = Database::open(&format!("sqlite://{path}")).await.unwrap();
    // SQLite answers the same as on a full disk when a database reaches its limit of pages.
    limit_pages(&database, "PRAGMA max_page_count = 1").await;
    let mut written = 0;
    let error = loop {
        match add_user(&database, written).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, DatabaseError::Full { path: full } if *full == path), "{error}");
    let users = database.users(crate::Slice::first(1)).await.unwrap();
    assert_eq!(users.total, u64::from(written), "reads go on");
    limit_pages(&database, "PRAGMA max_page_count = 100000").await;
    add_user(&database, written).await.unwrap();
}
