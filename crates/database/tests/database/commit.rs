//! A connection that ends while a change is committed: the change is made once, whichever side it reached.

use deis_database::{Database, NewUser};
use deis_model::{AppId, ReleaseVersion};

use crate::proxy::{Cut, Proxy};
use crate::server::Server;

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

/// Takes numbers, of which each must be one more than the last, while connections are cut.
async fn check(cut: Cut) {
    let Some((_server, proxy, database)) = with_blog().await else { return };
    let next = async || database.next_job(&blog(), ReleaseVersion::FIRST).await.expect("the server runs");
    for number in 1..=10 {
        proxy.arm(cut);
        assert_eq!(next().await, number);
        // Prepared once per connection, it is only named later: then the client does not say it again.
        if cut == Cut::AfterCommit {
            assert!(!proxy.is_armed(), "the connection was cut");
        }
    }
}

#[tokio::test]
async fn a_change_that_was_committed_unheard_is_not_made_again() {
    check(Cut::AfterCommit).await;
}

#[tokio::test]
async fn a_change_that_was_not_committed_is_made_again() {
    check(Cut::BeforeCommit).await;
}
