//! A connection that ends while a change is committed: the change is made once, whichever side it reached.

use deis_database::{Database, NewUser};
use deis_model::{AppId, ReleaseVersion};

use crate::proxy::{Cut, Proxy};
use deis_test_postgres::Server;

fn blog() -> AppId {
    AppId::parse("blog").expect("the id is valid")
}

/// A database with an app, behind a wire that can be cut.
async fn with_blog() -> Option<(Server, Proxy, Database)> {
    let server = Server::start().await?;
    let proxy = Proxy::start(server.address()).await;
    let url = proxy.url(&server.database().await, server.address());
    let database = Database::open(&url).await.expect("the server runs");
    let ann = NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
    };
    database.create_user(ann).await.expect("the name is free");
    database.create_app(&blog(), "ann", "blog.example.com").await.expect("the id is free");
    Some((server, proxy, database))
}

#[tokio::test]
async fn a_change_is_made_once_whether_its_commit_or_the_answer_was_lost() {
    let Some((_server, proxy, database)) = with_blog().await else { return };
    // In this order: a client names a statement in full only on a new connection, which it has after a cut.
    for (number, cut) in (1..).zip([Cut::AfterCommit, Cut::BeforeCommit].repeat(5)) {
        proxy.arm(cut);
        let taken = database.next_job(&blog(), ReleaseVersion::FIRST).await.expect("the server runs");
        assert_eq!(taken, number, "{cut:?}");
        assert!(!proxy.is_armed(), "the connection was cut {cut:?}");
    }
}
