//! Changes: every handle hears what any of them wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;

use deis_database::{Change, Database, NewBuild, NewUser};
use deis_model::{AppId, ConfigChange, Formation, ProcessType, Procfile, ReleaseVersion};

use crate::contract::{Databases, on_both_engines};
use deis_test_postgres::Server;

on_both_engines! {
    what_changes_an_app_is_told,
    what_does_not_change_what_is_wanted_is_not_told,
    a_change_that_failed_is_not_told,
    a_slow_receiver_hears_that_it_missed_something,
}

/// Longer than any change takes to arrive.
const LIMIT: Duration = Duration::from_secs(60);

fn app(id: &str) -> AppId {
    AppId::parse(id).expect("the id is valid")
}

async fn with_ann(databases: &Databases) -> (Database, Database) {
    let (one, two) = databases.open_twice().await;
    one.create_user(ann()).await.expect("the name is free");
    (one, two)
}

fn ann() -> NewUser {
    NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
    }
}

fn build() -> NewBuild {
    NewBuild {
        owner: "ann".to_owned(),
        image: "example/blog".to_owned(),
        sha: String::new(),
        procfile: Procfile(BTreeMap::new()),
        dockerfile: String::new(),
    }
}

async fn create(database: &Database, id: &str) {
    database.create_app(&app(id), "ann", &format!("{id}.example.com")).await.expect("the id is free");
}

/// Reads on until a change of `id`; how many other changes there were before.
async fn hear(changes: &mut BoxStream<'static, Change>, id: &str) -> usize {
    let mut others = 0;
    loop {
        let change = tokio::time::timeout(LIMIT, changes.next()).await.expect("it is told in time");
        match change.expect("changes do not end") {
            Change::App(found) if found == app(id) => return others,
            Change::App(_) => others += 1,
            Change::Platform | Change::All => {}
        }
    }
}

/// Changes as `database` hears them, once it listens.
async fn listen(database: &Database, writer: &Database) -> BoxStream<'static, Change> {
    let mut changes = database.changes();
    assert_eq!(changes.next().await, Some(Change::All));
    // On a server, listening begins a little later; from the first change that is heard on, all are.
    for number in 0.. {
        let probe = format!("probe-{number}");
        create(writer, &probe).await;
        let heard = hear(&mut changes, &probe);
        if tokio::time::timeout(Duration::from_millis(200), heard).await.is_ok() {
            break;
        }
    }
    changes
}

async fn what_changes_an_app_is_told(databases: Databases) {
    let (writer, other) = with_ann(&databases).await;
    let mut changes = listen(&other, &writer).await;
    let (blog, version) = (app("blog"), |number| ReleaseVersion::new(number).expect("they count from 1"));
    let web = Formation::from([(ProcessType::parse("web").expect("it is valid"), 2)]);
    create(&writer, "blog").await;
    assert_eq!(hear(&mut changes, "blog").await, 0);
    writer.release_build(&blog, build()).await.unwrap();
    hear(&mut changes, "blog").await;
    writer.mark_deployed(&blog, version(2)).await.unwrap();
    hear(&mut changes, "blog").await;
    let change = ConfigChange::parse(&serde_json::from_str(r#"{"values": {"A": "1"}}"#).unwrap()).unwrap();
    writer.release_config(&blog, "ann", &change).await.unwrap();
    hear(&mut changes, "blog").await;
    writer.mark_failed(&blog, version(3), "crashed").await.unwrap();
    hear(&mut changes, "blog").await;
    writer.scale(&blog, &web).await.unwrap();
    hear(&mut changes, "blog").await;
    writer.add_domain(&blog, "ann", "example.com", None).await.unwrap();
    hear(&mut changes, "blog").await;
    writer.remove_domain(&blog, "example.com").await.unwrap();
    hear(&mut changes, "blog").await;
    writer.delete_app(&blog).await.unwrap();
    assert_eq!(hear(&mut changes, "blog").await, 0);
}

async fn what_does_not_change_what_is_wanted_is_not_told(databases: Databases) {
    let (writer, other) = with_ann(&databases).await;
    create(&writer, "blog").await;
    let mut changes = listen(&other, &writer).await;
    let (blog, first) = (app("blog"), ReleaseVersion::FIRST);
    writer.mark_deployed(&blog, first).await.expect("it is deployed already");
    writer.next_job(&blog, first).await.unwrap();
    writer.touch_host("one", time::OffsetDateTime::UNIX_EPOCH).await.unwrap();
    assert!(!writer.remove_domain(&blog, "example.com").await.unwrap());
    create(&writer, "last").await;
    assert_eq!(hear(&mut changes, "last").await, 0);
}

async fn a_change_that_failed_is_not_told(databases: Databases) {
    let (writer, other) = with_ann(&databases).await;
    create(&writer, "blog").await;
    let mut changes = listen(&other, &writer).await;
    writer.create_app(&app("blog"), "ann", "blog.example.com").await.expect_err("the id is taken");
    create(&writer, "last").await;
    assert_eq!(hear(&mut changes, "last").await, 0);
}

async fn a_slow_receiver_hears_that_it_missed_something(databases: Databases) {
    let (writer, _) = with_ann(&databases).await;
    create(&writer, "blog").await;
    let mut changes = listen(&writer, &writer).await;
    for _ in 0..1100 {
        writer.set_formation(&app("blog"), &Formation::new()).await.unwrap();
    }
    create(&writer, "last").await;
    let missed = async { while changes.next().await.expect("changes do not end") != Change::All {} };
    tokio::time::timeout(LIMIT, missed).await.expect("it is told in time");
}

#[tokio::test]
async fn after_an_outage_everything_may_have_changed() {
    let Some(mut server) = Server::start().await else { return };
    let database = Database::open(&server.database().await).await.unwrap();
    database.create_user(ann()).await.unwrap();
    let mut changes = listen(&database, &database).await;
    server.kill();
    server.run_again().await;
    let told = async { while changes.next().await.expect("changes do not end") != Change::All {} };
    tokio::time::timeout(LIMIT, told).await.expect("it is told in time");
    create(&database, "blog").await;
    hear(&mut changes, "blog").await;
}
