//! What routes are made from: domains that overlap, certificates, settings of apps, ticket keys.

use std::collections::BTreeMap;

use deis_database::{Database, DatabaseError, NewCertificate, NewUser, SealedTicketKey};
use deis_model::AppId;
use time::{Duration, OffsetDateTime};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    nobody_takes_visitors_of_other_owners_by_a_wildcard,
    certificates_serve_the_hosts_that_they_are_for,
    a_certificate_concerns_the_apps_that_it_serves,
    settings_of_an_app_change_together_or_not_at_all,
    ticket_keys_are_replaced_when_they_are_old,
}

fn app(id: &str) -> AppId {
    AppId::parse(id).expect("the id is valid")
}

/// A platform at `localhost` with the apps `blog` and `wiki` of ann, and `shop` of bob; ann is an administrator.
async fn three_apps(databases: &Databases) -> Database {
    let database = databases.open().await;
    for username in ["ann", "bob", "eve"] {
        let user = NewUser {
            username: username.to_owned(),
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: "hash".to_owned(),
        };
        database.create_user(user).await.expect("the name is free");
    }
    for (id, owner) in [("blog", "ann"), ("wiki", "ann"), ("shop", "bob")] {
        database.create_app(&app(id), owner, &format!("{id}.localhost")).await.expect("the id is free");
    }
    database
}

async fn nobody_takes_visitors_of_other_owners_by_a_wildcard(databases: Databases) {
    let database = three_apps(&databases).await;
    let add = async |id: &str, domain: &str| match database.add_domain(&app(id), "ann", domain, None).await {
        Ok(_) => "added".to_owned(),
        Err(DatabaseError::Overlaps { domain }) => domain,
        Err(error) => error.to_string(),
    };
    assert_eq!(add("blog", "*.example.com").await, "added");
    assert_eq!(add("shop", "www.example.com").await, "*.example.com");
    assert_eq!(add("shop", "a.b.Example.com").await, "*.example.com");
    assert_eq!(add("shop", "*.b.example.com").await, "*.example.com");
    assert_eq!(add("shop", "*.com").await, "*.example.com");
    assert_eq!(add("shop", "example.com").await, "added");
    assert_eq!(add("shop", "wwwexample.com").await, "added");
    assert_eq!(add("wiki", "www.example.com").await, "added", "the same owner");
    assert_eq!(add("shop", "*.shop.org").await, "added");
    assert_eq!(add("blog", "www.shop.net").await, "added");
    assert_eq!(add("shop", "*.shop.net").await, "www.shop.net");
    assert_eq!(add("blog", "*.shop.org").await, "it exists already");
}

async fn add(database: &Database, owner: &str, name: &str, names: &[&str], days: i64) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let new = NewCertificate {
        owner,
        common_name: name,
        chain: "chain",
        sealed_key: "sealed",
        names: &names,
        expires: OffsetDateTime::UNIX_EPOCH + Duration::days(days),
    };
    let (certificate, served) = database.add_certificate(new, "localhost").await.expect("the name is free");
    assert_eq!((certificate.common_name.as_str(), certificate.names), (name, names));
    served.into_iter().map(|app| app.to_string()).collect()
}

async fn certificates_serve_the_hosts_that_they_are_for(databases: Databases) {
    let database = three_apps(&databases).await;
    for (owner, name, names, days) in [
        ("bob", "exact", vec!["www.shop.org"], 1),
        ("bob", "wild", vec!["*.shop.org", "other.org"], 2),
        ("ann", "admin", vec!["www.shop.org"], 3),
        ("eve", "stranger", vec!["www.shop.org", "*.shop.org"], 4),
    ] {
        add(&database, owner, name, &names, days).await;
    }
    let serving = async |hosts: &[&str]| {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let pairs = database.sealed_pairs(&app("shop"), &hosts).await.expect("they can be read");
        pairs.into_iter().map(|pair| pair.common_name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(serving(&["shop.localhost", "www.shop.org"]).await, "admin wild exact");
    assert_eq!(serving(&["api.shop.org"]).await, "wild");
    assert_eq!(serving(&["*.shop.org"]).await, "admin wild exact");
    assert_eq!(serving(&["*.org"]).await, "admin wild exact");
    assert_eq!(serving(&["shop.org", "a.www.shop.org", "shop.localhost"]).await, "");
    let many: Vec<String> = (0..1200).map(|number| format!("host-{number}.shop.org")).collect();
    let pairs = database.sealed_pairs(&app("shop"), &many).await.expect("they can be read");
    assert_eq!(pairs.len(), 1, "one certificate, however many hosts");
    database.grant(&app("shop"), "eve").await.expect("granted");
    assert_eq!(serving(&["api.shop.org"]).await, "stranger wild");
}

async fn a_certificate_concerns_the_apps_that_it_serves(databases: Databases) {
    let database = three_apps(&databases).await;
    database.add_domain(&app("shop"), "bob", "www.shop.org", None).await.expect("added");
    database.add_domain(&app("blog"), "ann", "*.blog.org", None).await.expect("added");
    assert_eq!(add(&database, "bob", "1", &["www.shop.org", "www.blog.org"], 1).await, ["shop"]);
    assert_eq!(add(&database, "ann", "2", &["*.shop.org", "www.blog.org"], 1).await, ["blog", "shop"]);
    assert_eq!(add(&database, "bob", "3", &["*.localhost"], 1).await, ["shop"]);
    assert_eq!(add(&database, "ann", "4", &["*.localhost"], 1).await, ["blog", "shop", "wiki"]);
    assert_eq!(add(&database, "ann", "5", &["wiki.localhost", "a.wiki.localhost"], 1).await, ["wiki"]);
    assert!(add(&database, "eve", "6", &["*.localhost", "www.shop.org"], 1).await.is_empty());
    assert!(add(&database, "ann", "7", &["shop.org", "*.www.shop.org"], 1).await.is_empty());
    let deleted = database.delete_certificate("bob", "1", "localhost").await.expect("deleted");
    assert_eq!(deleted, Some([app("shop")].into()));
    assert_eq!(database.delete_certificate("bob", "1", "localhost").await.expect("tried"), None);
    assert_eq!(database.delete_certificate("bob", "2", "localhost").await.expect("tried"), None, "ann's");
}

async fn settings_of_an_app_change_together_or_not_at_all(databases: Databases) {
    let database = three_apps(&databases).await;
    let set = async |id: &str, key: &str, value: &str| {
        let change = |settings: &mut BTreeMap<String, String>| {
            settings.insert(key.to_owned(), value.to_owned());
            settings.insert("seen".to_owned(), "yes".to_owned());
            if value == "bad" { Err(()) } else { Ok(()) }
        };
        database.change_app_settings(&app(id), "port", change).await
    };
    let changed = set("blog", "port", "7000").await.expect("written").expect("right");
    assert_eq!(changed.len(), 2);
    assert_eq!(set("blog", "other", "bad").await.expect("read"), Err(()));
    assert!(matches!(set("shop", "port", "7000").await, Err(DatabaseError::Taken)));
    assert!(matches!(set("none", "port", "7001").await, Err(DatabaseError::Missing)));
    assert_eq!(database.app_settings(&app("blog")).await.expect("read"), changed);
    assert!(database.app_settings(&app("shop")).await.expect("read").is_empty());
    let clear = |settings: &mut BTreeMap<String, String>| -> Result<(), ()> {
        settings.clear();
        Ok(())
    };
    database.change_app_settings(&app("blog"), "port", clear).await.expect("written").expect("right");
    assert!(set("shop", "port", "7000").await.expect("written").is_ok());
    database.delete_app(&app("shop")).await.expect("deleted");
    assert!(set("wiki", "port", "7000").await.expect("written").is_ok(), "it is free again");
}

async fn ticket_keys_are_replaced_when_they_are_old(databases: Databases) {
    let database = databases.open().await;
    let rotate = async |name: &str, hours: i64| {
        let created = OffsetDateTime::UNIX_EPOCH + Duration::hours(hours);
        let next = SealedTicketKey { name: name.to_owned(), sealed_key: "sealed".to_owned(), created };
        let keys = database.rotate_ticket_keys(&next, Duration::hours(12), 3).await.expect("rotated");
        assert!(keys == database.ticket_keys().await.expect("read"));
        keys.into_iter().map(|key| key.name).collect::<String>()
    };
    assert_eq!(rotate("a", 0).await, "a");
    assert_eq!(rotate("b", 11).await, "a");
    assert_eq!(rotate("b", 12).await, "ba");
    assert_eq!(rotate("c", 24).await, "cba");
    assert_eq!(rotate("d", 36).await, "dcb");
}
