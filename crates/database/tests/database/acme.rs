//! Automatic certificates: what is kept of accounts, orders and certificates.

use deis_database::{AcmePair, Change, Database, NewUser};
use deis_model::AppId;
use deis_model::acme::Validity;
use futures::StreamExt;
use time::{Duration, OffsetDateTime};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    an_order_goes_from_its_beginning_to_a_certificate_that_is_served,
    a_certificate_serves_the_app_that_its_name_leads_to_by_now,
    a_failed_order_leaves_the_certificate_before_it,
    orders_are_counted_by_the_hour,
    an_account_is_kept_and_forgotten_whatever_the_authority_does,
    a_name_that_leads_nowhere_is_given_up_and_then_forgotten,
}

const CA: &str = "https://ca.example/dir";
const HOST: &str = "www.example.com";

fn hour(hours: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::hours(500_000 + hours)
}

fn blog() -> AppId {
    AppId::parse("blog").expect("the id is valid")
}

fn pair(words: &str) -> AcmePair {
    let (chain, sealed_key) = (format!("chain {words}"), format!("key {words}"));
    AcmePair { host: HOST.to_owned(), chain, sealed_key }
}

fn validity() -> Validity {
    Validity { not_before: hour(0), not_after: hour(24 * 90) }
}

/// A database with the app `blog`, to which `www.example.com` leads.
async fn database(databases: &Databases) -> Database {
    let database = databases.open().await;
    let user = NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: "hash".to_owned(),
    };
    database.create_user(user).await.expect("the name is free");
    database.create_app(&blog(), "ann", "blog.deis.example").await.expect("the id is free");
    database.add_domain(&blog(), "ann", HOST, None).await.expect("the domain is free");
    database
}

/// Has `www.example.com` get the certificate called `words`.
async fn certify(database: &Database, words: &str) {
    database.begin_acme_order(HOST, CA, hour(0)).await.unwrap();
    database.finish_acme_order(&pair(words), "deis.example", validity(), hour(1)).await.unwrap();
}

async fn served(database: &Database) -> Option<AcmePair> {
    database.acme_pairs(&[HOST.to_owned()]).await.unwrap().pop()
}

async fn an_order_goes_from_its_beginning_to_a_certificate_that_is_served(databases: Databases) {
    let database = database(&databases).await;
    assert!(database.acme_order(HOST).await.unwrap().is_none());
    database.begin_acme_order(HOST, CA, hour(0)).await.unwrap();
    let order = database.acme_order(HOST).await.unwrap().unwrap();
    assert!(order.directory == CA && order.url.is_none() && order.sealed_key.is_none());
    database.place_acme_order(HOST, "https://ca.example/order/1").await.unwrap();
    database.key_acme_order(HOST, "a key").await.unwrap();
    let order = database.acme_order(HOST).await.unwrap().unwrap();
    assert_eq!(order.url.as_deref(), Some("https://ca.example/order/1"));
    assert_eq!(order.sealed_key.as_deref(), Some("a key"));
    assert_eq!(served(&database).await, None);

    let mut changes = database.changes();
    assert_eq!(changes.next().await, Some(Change::All));
    database.finish_acme_order(&pair("one"), "deis.example", validity(), hour(1)).await.unwrap();
    let heard = changes.next().await;
    assert!(matches!(heard, Some(Change::App(_) | Change::All)), "routes are written anew: {heard:?}");
    assert_eq!(served(&database).await, Some(pair("one")));
    let state = database.acme_states().await.unwrap().remove(HOST).unwrap();
    let held = state.progress.certificate.clone().unwrap();
    assert_eq!((held.directory.as_str(), held.validity), (CA, validity()));
    assert_eq!((state.progress.order.as_deref(), state.progress.failures), (None, 0));
    assert_eq!(database.acme_states_of(&[HOST.to_owned()]).await.unwrap()[HOST], state);
}

async fn a_failed_order_leaves_the_certificate_before_it(databases: Databases) {
    let database = database(&databases).await;
    certify(&database, "one").await;
    database.begin_acme_order(HOST, "https://other.example/dir", hour(1)).await.unwrap();
    database.fail_acme_order(HOST, 3, hour(2), "no such host", "deis.example").await.unwrap();
    let state = database.acme_states().await.unwrap().remove(HOST).unwrap();
    assert_eq!((state.progress.failures, state.progress.retry_at, state.progress.order), (3, hour(2), None));
    assert_eq!(state.problem.as_deref(), Some("no such host"));
    assert_eq!(state.progress.certificate.unwrap().directory, CA);
    assert_eq!(served(&database).await, Some(pair("one")));
    database.finish_acme_order(&pair("two"), "deis.example", validity(), hour(1)).await.unwrap();
    assert_eq!(served(&database).await, Some(pair("one")), "an order that ended brings nothing");
}

async fn orders_are_counted_by_the_hour(databases: Databases) {
    let database = database(&databases).await;
    for host in ["a.example", "b.example"] {
        database.begin_acme_order(host, CA, hour(0)).await.unwrap();
    }
    let account = database.acme_account(CA).await.unwrap().unwrap();
    assert_eq!((account.hour, account.begun), (hour(0), 2));
    database.begin_acme_order(HOST, CA, hour(1)).await.unwrap();
    let account = database.acme_account(CA).await.unwrap().unwrap();
    assert_eq!((account.hour, account.begun), (hour(1), 1));
}

async fn an_account_is_kept_and_forgotten_whatever_the_authority_does(databases: Databases) {
    let database = database(&databases).await;
    assert!(database.acme_account(CA).await.unwrap().is_none());
    database.note_acme_authority(CA, 2, hour(1), Some("it is away")).await.unwrap();
    database.save_acme_account(CA, Some("credentials"), "ops@example.com").await.unwrap();
    let account = database.acme_account(CA).await.unwrap().unwrap();
    assert_eq!(
        (account.failures, account.retry_at, account.problem.as_deref()),
        (2, hour(1), Some("it is away"))
    );
    assert_eq!(
        (account.sealed_credentials.as_deref(), account.email.as_str()),
        (Some("credentials"), "ops@example.com")
    );
    database.note_acme_authority(CA, 0, hour(1), None).await.unwrap();
    database.save_acme_account(CA, None, "").await.unwrap();
    let account = database.acme_account(CA).await.unwrap().unwrap();
    assert!(account.sealed_credentials.is_none() && account.problem.is_none() && account.failures == 0);
}

async fn a_name_that_leads_nowhere_is_given_up_and_then_forgotten(databases: Databases) {
    let database = database(&databases).await;
    certify(&database, "one").await;
    database.begin_acme_order(HOST, CA, hour(0)).await.unwrap();
    database.fail_acme_order(HOST, 3, hour(9), "no such host", "deis.example").await.unwrap();
    database.begin_acme_order(HOST, CA, hour(0)).await.unwrap();
    database.remove_domain(&blog(), HOST).await.unwrap();
    database.set_acme_idle(&[HOST.to_owned()], Some(hour(3)), "deis.example").await.unwrap();
    let state = database.acme_states().await.unwrap().remove(HOST).unwrap();
    assert_eq!((state.progress.idle_since, state.progress.order), (Some(hour(3)), None));
    assert_eq!(served(&database).await, None);
    database.add_domain(&blog(), "ann", HOST, None).await.unwrap();
    let progress = database.acme_states().await.unwrap().remove(HOST).unwrap().progress;
    assert_eq!(
        (progress.failures, progress.retry_at),
        (0, OffsetDateTime::UNIX_EPOCH),
        "it is tried at once"
    );
    database.set_acme_idle(&[HOST.to_owned()], None, "deis.example").await.unwrap();
    assert_eq!(served(&database).await, Some(pair("one")));
    database.forget_acme(&[HOST.to_owned()]).await.unwrap();
    assert!(database.acme_states().await.unwrap().is_empty());
}

async fn a_certificate_serves_the_app_that_its_name_leads_to_by_now(databases: Databases) {
    let database = database(&databases).await;
    let shop = AppId::parse("shop").unwrap();
    database.create_app(&shop, "ann", "shop.deis.example").await.unwrap();
    database.begin_acme_order(HOST, CA, hour(0)).await.unwrap();
    database.remove_domain(&blog(), HOST).await.unwrap();
    database.add_domain(&shop, "ann", HOST, None).await.unwrap();
    database.begin_acme_order(HOST, CA, hour(0)).await.unwrap();
    let revised = async || database.desired(&shop).await.unwrap().unwrap().routing;
    let before = revised().await;
    let served = database.finish_acme_order(&pair("one"), "deis.example", validity(), hour(1)).await.unwrap();
    assert_eq!(served, Some(shop.clone()));
    assert!(revised().await > before, "its route is not written anew");
}
