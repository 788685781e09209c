//! Marks: they tell every change of what is wanted, of all apps at once.

use std::collections::BTreeMap;

use deis_database::{Database, Mark, NewBuild, NewCertificate, NewUser};
use deis_model::{AppId, Formation, ProcessType, Procfile};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    marks_tell_every_change_of_what_is_wanted,
}

fn app(id: &str) -> AppId {
    AppId::parse(id).expect("the id is valid")
}

async fn two_apps(databases: &Databases) -> Database {
    let database = databases.open().await;
    let ann = NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: "hash".to_owned(),
    };
    database.create_user(ann).await.expect("the name is free");
    for id in ["blog", "shop"] {
        database.create_app(&app(id), "ann", &format!("{id}.localhost")).await.expect("the id is free");
    }
    database
}

fn build() -> NewBuild {
    NewBuild {
        owner: "ann".to_owned(),
        image: "example/blog".to_owned(),
        sha: "0123abcd".to_owned(),
        procfile: Procfile([(ProcessType::web(), "serve".to_owned())].into()),
        dockerfile: String::new(),
    }
}

/// The mark of `blog`, which is the one of what is wanted; that of `shop` stays what it was.
async fn mark(database: &Database) -> Mark {
    let mut marks = database.marks().await.expect("they can be read");
    for id in ["blog", "shop"] {
        let desired = database.desired(&app(id)).await.expect("it can be read").expect("it exists");
        assert_eq!(marks.get(&app(id)), Some(&Mark::of(&desired)), "{id}");
    }
    marks.remove(&app("blog")).expect("it was there a moment ago")
}

async fn marks_tell_every_change_of_what_is_wanted(databases: Databases) {
    let database = two_apps(&databases).await;
    let blog = app("blog");
    let mut seen = vec![mark(&database).await];
    let version = database.release_build(&blog, build()).await.expect("released").release.version;
    seen.push(mark(&database).await);
    database.mark_deployed(&blog, version).await.expect("deployed");
    seen.push(mark(&database).await);
    database.scale(&blog, &Formation::from([(ProcessType::web(), 3)])).await.expect("scaled");
    seen.push(mark(&database).await);
    database.add_domain(&blog, "ann", "blog.example.com", None).await.expect("added");
    seen.push(mark(&database).await);
    let set = |settings: &mut BTreeMap<String, String>| -> Result<(), ()> {
        settings.insert("gzip".to_owned(), "off".to_owned());
        Ok(())
    };
    database.change_app_settings(&blog, "none", set).await.expect("written").expect("right");
    seen.push(mark(&database).await);
    let weigh = |settings: &mut BTreeMap<String, String>| -> Result<(), ()> {
        settings.insert("canary".to_owned(), "10".to_owned());
        Ok(())
    };
    database.change_app_settings(&blog, "none", weigh).await.expect("written").expect("right");
    let version = database.release_build(&blog, build()).await.expect("released").release.version;
    seen.push(mark(&database).await);
    database.mark_tried(&blog, version).await.expect("tried out");
    seen.push(mark(&database).await);
    database.promote(&blog).await.expect("promoted");
    seen.push(mark(&database).await);
    database.mark_failed(&blog, version, "too slow").await.expect("failed");
    seen.push(mark(&database).await);
    let names = ["blog.example.com".to_owned()];
    let certificate = NewCertificate {
        owner: "ann",
        common_name: "blog",
        chain: "chain",
        sealed_key: "sealed",
        names: &names,
        expires: time::OffsetDateTime::UNIX_EPOCH,
    };
    database.add_certificate(certificate, "localhost").await.expect("added");
    seen.push(mark(&database).await);
    database.grant(&blog, "ann").await.expect("granted");
    seen.push(mark(&database).await);
    for (index, one) in seen.iter().enumerate() {
        assert!(!seen[..index].contains(one), "change {index} is not told");
    }
    database.delete_app(&blog).await.expect("deleted");
    let left = database.marks().await.expect("they can be read");
    assert!(left.keys().eq([&app("shop")]));
}
