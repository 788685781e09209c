//! Copying one machine's database to a server: all of it, or nothing.

use std::collections::BTreeMap;

use deis_database::{
    Database, DatabaseError, NewBuild, NewCertificate, NewPush, NewUser, SealedTicketKey, Slice, copy,
};
use deis_model::{AppId, ConfigChange, ProcessType, Procfile, ReleaseVersion};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    everything_is_there_afterwards,
    a_database_that_is_in_use_is_left_alone,
    a_large_database_is_copied_whole,
}

fn blog() -> AppId {
    AppId::parse("blog").expect("the id is valid")
}

fn user(username: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        email: format!("{username}@example.com"),
        first_name: "\u{c4}nn".to_owned(),
        last_name: "O'Hara \"x\" \\ $1".to_owned(),
        password_hash: "hash".to_owned(),
    }
}

/// A database with a row, at least, in every table.
async fn one_machine() -> Database {
    let database = Database::open("sqlite::memory:").await.expect("memory suffices");
    for username in ["ann", "bob"] {
        database.create_user(user(username)).await.unwrap();
    }
    database.add_token("ann", "digest").await.unwrap();
    database.add_key("ann", "laptop", "ssh-rsa AAAA", "aa:bb").await.unwrap();
    database.create_app(&blog(), "ann", "blog.example.com").await.unwrap();
    let web = ProcessType::parse("web").unwrap();
    let build = NewBuild {
        owner: "ann".to_owned(),
        image: "example/blog".to_owned(),
        sha: "0123".to_owned(),
        procfile: Procfile(BTreeMap::from([(web.clone(), "run".to_owned())])),
        dockerfile: String::new(),
    };
    database.release_build(&blog(), build.clone()).await.unwrap();
    database.mark_failed(&blog(), ReleaseVersion::new(2).unwrap(), "crashed").await.unwrap();
    database.release_build(&blog(), build).await.unwrap();
    database.mark_deployed(&blog(), ReleaseVersion::new(3).unwrap()).await.unwrap();
    let change = ConfigChange::parse(&serde_json::from_str(r#"{"values": {"A": "1"}}"#).unwrap()).unwrap();
    database.release_config(&blog(), "bob", &change).await.unwrap();
    database.sync_containers(&blog(), &[(ReleaseVersion::new(3).unwrap(), web, 1)]).await.unwrap();
    database.next_job(&blog(), ReleaseVersion::new(3).unwrap()).await.unwrap();
    database.add_domain(&blog(), "ann", "Example.com", None).await.unwrap();
    database.grant(&blog(), "bob").await.unwrap();
    let push = NewPush {
        owner: "ann".to_owned(),
        sha: "0123".to_owned(),
        fingerprint: "aa:bb".to_owned(),
        receive_user: "ann".to_owned(),
        receive_repo: "blog".to_owned(),
        ssh_connection: String::new(),
        ssh_original_command: String::new(),
    };
    database.add_push(&blog(), push).await.unwrap();
    let uuid = &database.app_uuids().await.unwrap()[0].1;
    assert!(database.replace_repository_copy(uuid, None, "first").await.unwrap());
    let settings = BTreeMap::from([("registrationMode".to_owned(), Some("disabled".to_owned()))]);
    database.change_settings("controller", &settings).await.unwrap();
    let epoch = time::OffsetDateTime::UNIX_EPOCH;
    let names = ["www.example.com".to_owned()];
    let certificate = NewCertificate {
        owner: "ann",
        common_name: "www.example.com",
        chain: "chain",
        sealed_key: "sealed",
        names: &names,
        expires: epoch,
    };
    database.add_certificate(certificate, "example.com").await.unwrap();
    let set = |settings: &mut BTreeMap<String, String>| -> Result<(), ()> {
        settings.insert("gzip".to_owned(), "off".to_owned());
        Ok(())
    };
    database.change_app_settings(&blog(), "none", set).await.unwrap().unwrap();
    let (name, sealed_key) = ("name".to_owned(), "sealed".to_owned());
    let key = SealedTicketKey { name, sealed_key, created: epoch };
    database.rotate_ticket_keys(&key, time::Duration::ZERO, 3).await.unwrap();
    database.touch_host("one", epoch).await.unwrap();
    database.begin_acme_order("example.com", "https://ca.example/dir", epoch).await.unwrap();
    database
}

/// All that can be read of a database.
async fn everything(database: &Database) -> String {
    let all = Slice::first(1000);
    let blog = blog();
    let parts = [
        format!("{:#?}", database.users(all).await.unwrap()),
        format!("{:#?}", database.credentials("ann").await.unwrap()),
        format!("{:#?}", database.token_user("digest").await.unwrap()),
        format!("{:#?}", database.keys("ann", all).await.unwrap()),
        format!("{:#?}", database.all_apps(all).await.unwrap()),
        format!("{:#?}", database.releases(&blog, all).await.unwrap()),
        format!("{:#?}", database.builds(&blog, all).await.unwrap()),
        format!("{:#?}", database.config(&blog).await.unwrap().map(|config| config.values.0)),
        format!("{:#?}", database.containers(&blog).await.unwrap()),
        format!("{:#?}", database.domains(&blog, all).await.unwrap()),
        format!("{:#?}", database.collaborators(&blog).await.unwrap()),
        format!("{:#?}", database.settings("controller").await.unwrap()),
        format!("{:#?}", database.certificates("ann", all).await.unwrap()),
        format!("{:#?}", database.app_settings(&blog).await.unwrap()),
        format!(
            "{:#?}",
            database.ticket_keys().await.unwrap().into_iter().map(|key| key.name).collect::<Vec<_>>()
        ),
        format!("{:#?}", database.hosts().await.unwrap()),
        format!("{:#?}", database.acme_states().await.unwrap()),
        format!("{:#?}", database.acme_account("https://ca.example/dir").await.unwrap()),
    ];
    parts.join("\n")
}

async fn everything_is_there_afterwards(databases: Databases) {
    let (from, to) = (one_machine().await, databases.open().await);
    let copied = copy(&from, &to).await.unwrap();
    assert!(copied.tables.iter().all(|(_, rows)| *rows > 0), "{copied:?}");
    assert_eq!(everything(&to).await, everything(&from).await);
    let version = ReleaseVersion::new(4).unwrap();
    to.mark_deployed(&blog(), version).await.unwrap();
    assert_eq!(to.next_job(&blog(), version).await.unwrap(), 2, "numbers go on from where they were");
    assert_eq!(to.create_user(user("eve")).await.unwrap().id, 3);
}

async fn a_database_that_is_in_use_is_left_alone(databases: Databases) {
    let (from, to) = (one_machine().await, databases.open().await);
    to.create_user(user("eve")).await.unwrap();
    let refused = copy(&from, &to).await;
    assert!(matches!(refused, Err(DatabaseError::NotEmpty { table: "users", .. })), "{refused:?}");
    assert_eq!(to.users(Slice::first(9)).await.unwrap().total, 1);
    assert!(to.apps().await.unwrap().is_empty());
}

async fn a_large_database_is_copied_whole(databases: Databases) {
    let (from, to) = (Database::open("sqlite::memory:").await.unwrap(), databases.open().await);
    for number in 0..1500 {
        from.create_user(user(&format!("user-{number}"))).await.unwrap();
    }
    let copied = copy(&from, &to).await.unwrap();
    assert_eq!(copied.tables[0], ("users", 1500));
    assert_eq!(to.users(Slice::first(2000)).await.unwrap(), from.users(Slice::first(2000)).await.unwrap());
}
