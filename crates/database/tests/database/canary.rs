//! Canaries: what begins one, what it goes on from, and what ends it.

use deis_database::{Database, DatabaseError, NewBuild, NewUser, Slice};
use deis_model::{AppId, ConfigChange, ProcessType, Procfile, ReleaseState, ReleaseVersion};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    new_releases_of_an_app_with_a_canary_are_tried_out,
    a_release_goes_on_from_what_is_tried_out_and_takes_its_place,
    a_promoted_canary_is_deployed_and_nothing_is_made_meanwhile,
    an_ended_canary_is_carried_on_by_nobody,
    going_back_takes_effect_for_all_and_ends_what_is_tried_out,
    nothing_is_made_of_a_canary_that_gets_no_requests,
    a_canary_that_fails_takes_nothing_with_it,
    only_what_gets_no_requests_now_is_ended_for_that,
    what_becomes_of_a_release_is_news_once,
    who_has_to_wait_is_told_for_what,
    images_of_canaries_are_in_use,
}

/// The app `blog`, whose v2 serves and whose new releases get a tenth of the requests.
async fn blog(databases: &Databases) -> (Database, AppId) {
    let (database, blog) = (databases.open().await, AppId::parse("blog").expect("the id is valid"));
    let ann = NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: "hash".to_owned(),
    };
    database.create_user(ann).await.expect("the name is free");
    database.create_app(&blog, "ann", "blog.example.com").await.expect("the id is free");
    weigh(&database, &blog, "10").await;
    push(&database, &blog, "stable").await;
    database.mark_deployed(&blog, version(2)).await.expect("it was the first");
    (database, blog)
}

fn version(number: u32) -> ReleaseVersion {
    ReleaseVersion::new(number).expect("releases count from 1")
}

async fn weigh(database: &Database, app: &AppId, weight: &str) {
    let changed = database.change_app_settings(app, "tcp/port", |settings| {
        settings.insert("canary".to_owned(), weight.to_owned());
        Ok::<_, ()>(())
    });
    changed.await.expect("it can be written").expect("it is not refused");
}

async fn push(database: &Database, app: &AppId, image: &str) {
    let build = NewBuild {
        owner: "ann".to_owned(),
        image: image.to_owned(),
        sha: "0123abcd".to_owned(),
        procfile: Procfile([(ProcessType::web(), "serve".to_owned())].into()),
        dockerfile: String::new(),
    };
    database.release_build(app, build).await.expect("nothing else is under way");
}

async fn configure(database: &Database, app: &AppId, key: &str) -> (String, Vec<String>) {
    let fields = serde_json::json!({ "values": { key: "1" } });
    let change = ConfigChange::parse(fields.as_object().expect("it is an object")).expect("it is valid");
    let released = database.release_config(app, "ann", &change).await.expect("nothing else is under way");
    let image = released.build.expect("there is a build").image;
    (image, released.config.values.0.into_keys().collect())
}

/// The releases after the first as `v3:canary v2:deployed`.
async fn check(database: &Database, app: &AppId, expected: &str) {
    let releases = database.releases(app, Slice::first(100)).await.expect("the app exists").items;
    let text = |state: ReleaseState| format!("{state:?}").to_lowercase();
    let newer = releases.iter().filter(|release| release.version > ReleaseVersion::FIRST);
    let found: Vec<_> = newer.map(|it| format!("{}:{}", it.version, text(it.state))).collect();
    assert_eq!(found.join(" "), expected);
}

async fn new_releases_of_an_app_with_a_canary_are_tried_out(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    check(&database, &blog, "v3:starting v2:deployed").await;
    let desired = database.desired(&blog).await.unwrap().unwrap();
    assert_eq!(desired.trial.map(|release| release.version), Some(version(3)));
    assert!(desired.pending.is_none() && desired.canary.is_none());
    database.mark_deployed(&blog, version(3)).await.unwrap();
    check(&database, &blog, "v3:starting v2:deployed").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    check(&database, &blog, "v3:canary v2:deployed").await;
    let desired = database.desired(&blog).await.unwrap().unwrap();
    assert_eq!(desired.canary.map(|release| release.version), Some(version(3)));
    assert_eq!(desired.deployed.map(|release| release.version), Some(version(2)));
}

async fn a_release_goes_on_from_what_is_tried_out_and_takes_its_place(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    assert_eq!(configure(&database, &blog, "A").await, ("new".to_owned(), vec!["A".to_owned()]));
    let canaries = database.canaries(&blog).await.unwrap();
    assert_eq!(
        canaries.canary.map(|release| release.version),
        Some(version(3)),
        "until the next one is ready"
    );
    assert_eq!(canaries.trial.map(|release| release.version), Some(version(4)));
    database.mark_tried(&blog, version(4)).await.unwrap();
    check(&database, &blog, "v4:canary v3:ended v2:deployed").await;
}

async fn a_promoted_canary_is_deployed_and_nothing_is_made_meanwhile(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    assert!(matches!(database.promote(&blog).await, Err(DatabaseError::Missing)));
    push(&database, &blog, "new").await;
    assert!(matches!(database.promote(&blog).await, Err(DatabaseError::Busy { .. })));
    database.mark_tried(&blog, version(3)).await.unwrap();
    assert_eq!(database.promote(&blog).await.unwrap().release.version, version(3));
    let desired = database.desired(&blog).await.unwrap().unwrap();
    assert_eq!(desired.pending, desired.canary, "it goes on being tried out");
    assert!(matches!(database.promote(&blog).await, Err(DatabaseError::Busy { .. })));
    assert!(matches!(database.release_rollback(&blog, "ann", None).await, Err(DatabaseError::Busy { .. })));
    database.mark_deployed(&blog, version(3)).await.unwrap();
    check(&database, &blog, "v3:deployed v2:deployed").await;
    assert!(database.desired(&blog).await.unwrap().unwrap().canary.is_none());
}

async fn an_ended_canary_is_carried_on_by_nobody(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    push(&database, &blog, "newer").await;
    assert!(database.end_canaries(&blog, "ann ended it").await.unwrap());
    check(&database, &blog, "v4:ended v3:ended v2:deployed").await;
    assert!(!database.end_canaries(&blog, "ann ended it").await.unwrap());
    database.mark_tried(&blog, version(4)).await.unwrap();
    check(&database, &blog, "v4:ended v3:ended v2:deployed").await;
    let ended = database.release(&blog, version(3)).await.unwrap().unwrap();
    assert_eq!(ended.failure.as_deref(), Some("ann ended it"));
    assert_eq!(configure(&database, &blog, "A").await.0, "stable");
}

async fn going_back_takes_effect_for_all_and_ends_what_is_tried_out(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    let back = database.release_rollback(&blog, "ann", None).await.unwrap();
    assert_eq!(back.build.unwrap().image, "stable");
    check(&database, &blog, "v4:pending v3:canary v2:deployed").await;
    database.mark_deployed(&blog, version(4)).await.unwrap();
    check(&database, &blog, "v4:deployed v3:ended v2:deployed").await;
    push(&database, &blog, "newer").await;
    database.mark_tried(&blog, version(5)).await.unwrap();
    // Nothing of it has to get ready.
    database.release_rollback(&blog, "ann", Some(version(1))).await.unwrap();
    check(&database, &blog, "v6:deployed v5:ended v4:deployed v3:ended v2:deployed").await;
}

async fn nothing_is_made_of_a_canary_that_gets_no_requests(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    weigh(&database, &blog, "0").await;
    assert_eq!(configure(&database, &blog, "A").await.0, "stable");
    check(&database, &blog, "v4:pending v3:canary v2:deployed").await;
}

async fn a_canary_that_fails_takes_nothing_with_it(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    push(&database, &blog, "bad").await;
    database.mark_failed(&blog, version(4), "too slow").await.unwrap();
    check(&database, &blog, "v4:failed v3:canary v2:deployed").await;
    database.promote(&blog).await.unwrap();
    database.mark_failed(&blog, version(3), "too slow for all").await.unwrap();
    check(&database, &blog, "v4:failed v3:failed v2:deployed").await;
    assert!(database.desired(&blog).await.unwrap().unwrap().canary.is_none());
}

async fn images_of_canaries_are_in_use(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    push(&database, &blog, "bad").await;
    database.mark_failed(&blog, version(4), "too slow").await.unwrap();
    let images: Vec<_> =
        database.images_in_use(0).await.unwrap().into_iter().map(|(_, image)| image).collect();
    assert_eq!(images, ["new", "stable"]);
}

async fn only_what_gets_no_requests_now_is_ended_for_that(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    database.mark_tried(&blog, version(3)).await.unwrap();
    let end = async || database.end_without_requests(&blog, version(3), "no part").await.unwrap();
    assert!(!end().await, "it gets requests");
    weigh(&database, &blog, "0").await;
    database.promote(&blog).await.unwrap();
    assert!(!end().await, "it is being deployed for all");
    check(&database, &blog, "v3:promoted v2:deployed").await;
    database.mark_failed(&blog, version(3), "ill").await.unwrap();
    weigh(&database, &blog, "10").await;
    push(&database, &blog, "newer").await;
    database.mark_tried(&blog, version(4)).await.unwrap();
    weigh(&database, &blog, "0").await;
    assert!(!end().await, "another one is meant");
    assert!(database.end_without_requests(&blog, version(4), "no part").await.unwrap());
    check(&database, &blog, "v4:ended v3:failed v2:deployed").await;
}

async fn what_becomes_of_a_release_is_news_once(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    push(&database, &blog, "new").await;
    assert!(!database.mark_deployed(&blog, version(3)).await.unwrap(), "it is to be tried out");
    assert!(database.mark_tried(&blog, version(3)).await.unwrap());
    assert!(!database.mark_tried(&blog, version(3)).await.unwrap());
    database.promote(&blog).await.unwrap();
    assert!(database.mark_deployed(&blog, version(3)).await.unwrap());
    assert!(!database.mark_deployed(&blog, version(3)).await.unwrap());
    assert!(!database.mark_failed(&blog, version(3), "late").await.unwrap());
    push(&database, &blog, "newer").await;
    assert!(database.mark_failed(&blog, version(4), "ill").await.unwrap());
    assert!(!database.mark_failed(&blog, version(4), "ill").await.unwrap());
}

async fn who_has_to_wait_is_told_for_what(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    let refused = async || database.release_rollback(&blog, "ann", None).await.unwrap_err().to_string();
    push(&database, &blog, "new").await;
    assert_eq!(
        refused().await,
        "blog is starting v3, to try it out; wait for it, or end it with deis canary:end"
    );
    database.mark_tried(&blog, version(3)).await.unwrap();
    database.promote(&blog).await.unwrap();
    assert_eq!(
        refused().await,
        "blog is deploying v3, which was promoted; wait for it, or end it with deis canary:end"
    );
    database.mark_deployed(&blog, version(3)).await.unwrap();
    weigh(&database, &blog, "0").await;
    push(&database, &blog, "newer").await;
    assert_eq!(refused().await, "blog is deploying v4; wait for it");
}
