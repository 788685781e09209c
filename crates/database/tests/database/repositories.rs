//! The calls of the database: what they promise to the API and to reconcilers.

use std::collections::BTreeMap;

use deis_database::{Database, DatabaseError, NewBuild, NewPush, NewUser, Slice};
use deis_model::{AppId, ConfigChange, Formation, ProcessType, Procfile, ReleaseState, ReleaseVersion};

use crate::contract::{Databases, on_both_engines};

on_both_engines! {
    a_new_app_has_an_empty_config_and_a_first_release,
    a_release_with_nothing_to_run_is_deployed_at_once,
    an_app_deploys_one_release_at_a_time,
    a_failed_release_stays_visible_and_its_number_is_not_used_again,
    a_settled_release_does_not_change_any_more,
    the_first_build_that_serves_brings_the_default_formation,
    an_app_scaled_to_zero_stays_at_zero,
    process_types_that_left_the_procfile_leave_the_formation,
    a_rollback_brings_back_build_and_config_and_later_changes_start_from_them,
    the_first_release_has_nothing_to_roll_back_to,
    desired_holds_what_serves_and_what_is_to_serve,
    deleting_an_app_takes_all_that_belongs_to_it,
    containers_that_stay_keep_their_identity,
    job_numbers_count_up_and_old_jobs_are_forgotten,
    only_the_first_user_becomes_administrator_and_the_last_one_stays,
    a_user_with_apps_cannot_be_deleted,
    a_user_may_be_logged_in_several_times_until_tokens_are_replaced,
    only_so_many_logins_of_a_user_are_kept,
    a_key_belongs_to_one_user_whatever_its_comment,
    a_domain_leads_to_one_app_whatever_its_case,
    an_app_cannot_take_a_host_that_is_a_domain,
    users_see_their_own_apps_and_those_shared_with_them,
    settings_are_set_and_removed_together,
    hosts_are_known_from_their_first_report,
    pushes_are_recorded,
    a_copy_of_a_repository_is_replaced_by_who_knows_the_one_that_counts,
    images_of_new_and_serving_releases_are_in_use,
    names_sort_by_their_bytes,
}

async fn database(databases: &Databases) -> Database {
    let database = databases.open().await;
    for username in ["ann", "bob"] {
        database.create_user(user(username)).await.expect("the name is free");
    }
    database
}

fn user(username: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: "hash".to_owned(),
    }
}

fn app(id: &str) -> AppId {
    AppId::parse(id).expect("the id is valid")
}

fn version(number: u32) -> ReleaseVersion {
    ReleaseVersion::new(number).expect("releases count from 1")
}

fn process(name: &str) -> ProcessType {
    ProcessType::parse(name).expect("the type is valid")
}

fn image(types: &str) -> NewBuild {
    let types = types.split_whitespace().map(|name| (process(name), format!("run {name}")));
    NewBuild {
        owner: "ann".to_owned(),
        image: "example/blog".to_owned(),
        sha: if types.clone().count() > 0 { "0123abcd".to_owned() } else { String::new() },
        procfile: Procfile(types.collect()),
        dockerfile: String::new(),
    }
}

fn change(text: &str) -> ConfigChange {
    ConfigChange::parse(&serde_json::from_str(text).expect("it is JSON")).expect("the change is valid")
}

/// A database with the app `blog` of ann.
async fn blog(databases: &Databases) -> (Database, AppId) {
    let (database, blog) = (database(databases).await, app("blog"));
    database.create_app(&blog, "ann", "blog.example.com").await.expect("the id is free");
    (database, blog)
}

/// The releases as `v2:pending v1:deployed`.
async fn check_releases(database: &Database, app: &AppId, expected: &str) {
    let releases = database.releases(app, Slice::first(100)).await.expect("the app exists");
    let state = |state| match state {
        ReleaseState::Pending => "pending",
        ReleaseState::Starting => "starting",
        ReleaseState::Canary => "canary",
        ReleaseState::Promoted => "promoted",
        ReleaseState::Deployed => "deployed",
        ReleaseState::Failed => "failed",
        ReleaseState::Ended => "ended",
    };
    let found: Vec<String> = releases
        .items
        .iter()
        .map(|release| format!("{}:{}", release.version, state(release.state)))
        .collect();
    assert_eq!(found.join(" "), expected);
}

async fn formation(database: &Database, app: &AppId) -> String {
    let formation = database.app(app).await.expect("it can be read").expect("the app exists").formation;
    formation.iter().map(|(process, n)| format!("{process}={n}")).collect::<Vec<_>>().join(" ")
}

async fn a_new_app_has_an_empty_config_and_a_first_release(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    check_releases(&database, &blog, "v1:deployed").await;
    let release = database.release(&blog, version(1)).await.unwrap().unwrap();
    assert_eq!((release.summary.as_str(), release.build), ("ann created initial release", None));
    assert!(database.config(&blog).await.unwrap().unwrap().values.0.is_empty());
    let taken = database.create_app(&blog, "bob", "blog.example.com").await;
    assert!(matches!(taken, Err(DatabaseError::Taken)));
}

async fn a_release_with_nothing_to_run_is_deployed_at_once(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    let released = database.release_config(&blog, "bob", &change(r#"{"values": {"A": "1"}}"#)).await.unwrap();
    assert_eq!(released.release.summary, "bob added A");
    check_releases(&database, &blog, "v2:deployed v1:deployed").await;
}

async fn an_app_deploys_one_release_at_a_time(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("")).await.unwrap();
    let busy = |result: Result<_, DatabaseError>| matches!(result, Err(DatabaseError::Busy { .. }));
    assert!(busy(database.release_build(&blog, image("")).await));
    assert!(busy(database.release_config(&blog, "ann", &change("{}")).await));
    assert!(busy(database.release_rollback(&blog, "ann", None).await));
    check_releases(&database, &blog, "v2:pending v1:deployed").await;
    assert_eq!(
        database.builds(&blog, Slice::first(9)).await.unwrap().total,
        1,
        "a refused build leaves no row"
    );
}

async fn a_failed_release_stays_visible_and_its_number_is_not_used_again(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("web")).await.unwrap();
    database.mark_failed(&blog, version(2), "web.1 exited with 1").await.unwrap();
    let failed = database.release(&blog, version(2)).await.unwrap().unwrap();
    assert_eq!(failed.failure.as_deref(), Some("web.1 exited with 1"));
    assert_eq!(formation(&database, &blog).await, "");
    database.release_config(&blog, "ann", &change("{}")).await.unwrap();
    check_releases(&database, &blog, "v3:deployed v2:failed v1:deployed").await;
    let current = database.current(&blog).await.unwrap().unwrap();
    assert!(current.build.is_none(), "the build of a failed release is not carried on");
}

async fn a_settled_release_does_not_change_any_more(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("web")).await.unwrap();
    database.mark_failed(&blog, version(2), "too slow").await.unwrap();
    database.mark_deployed(&blog, version(2)).await.unwrap();
    check_releases(&database, &blog, "v2:failed v1:deployed").await;
    assert_eq!(formation(&database, &blog).await, "");
}

async fn the_first_build_that_serves_brings_the_default_formation(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("web worker")).await.unwrap();
    assert_eq!(formation(&database, &blog).await, "");
    database.mark_deployed(&blog, version(2)).await.unwrap();
    assert_eq!(formation(&database, &blog).await, "web=1");
}

async fn an_app_scaled_to_zero_stays_at_zero(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("web")).await.unwrap();
    database.mark_deployed(&blog, version(2)).await.unwrap();
    database.set_formation(&blog, &Formation::from([(process("web"), 0)])).await.unwrap();
    database.release_build(&blog, image("web")).await.unwrap();
    database.mark_deployed(&blog, version(3)).await.unwrap();
    assert_eq!(formation(&database, &blog).await, "web=0");
}

async fn process_types_that_left_the_procfile_leave_the_formation(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("web worker")).await.unwrap();
    database.mark_deployed(&blog, version(2)).await.unwrap();
    database.set_formation(&blog, &[(process("web"), 2), (process("worker"), 3)].into()).await.unwrap();
    database.release_build(&blog, image("web")).await.unwrap();
    assert_eq!(formation(&database, &blog).await, "web=2 worker=3", "not before it serves");
    database.mark_deployed(&blog, version(3)).await.unwrap();
    assert_eq!(formation(&database, &blog).await, "web=2");
}

async fn a_rollback_brings_back_build_and_config_and_later_changes_start_from_them(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("")).await.unwrap();
    database.mark_deployed(&blog, version(2)).await.unwrap();
    database.release_config(&blog, "ann", &change(r#"{"values": {"A": "1"}}"#)).await.unwrap();
    database.mark_deployed(&blog, version(3)).await.unwrap();
    let back = database.release_rollback(&blog, "bob", None).await.unwrap();
    assert_eq!(back.release.summary, "bob rolled back to v2");
    assert_eq!(back.release.version, version(4));
    assert!(back.config.values.0.is_empty() && back.build.is_some());
    database.mark_deployed(&blog, version(4)).await.unwrap();
    let next = database.release_config(&blog, "ann", &change(r#"{"values": {"B": "2"}}"#)).await.unwrap();
    assert_eq!(next.config.values.0, BTreeMap::from([("B".to_owned(), "2".to_owned())]));
    let missing = database.release_rollback(&blog, "bob", Some(version(99))).await;
    assert!(matches!(missing, Err(DatabaseError::Busy { .. })));
}

async fn the_first_release_has_nothing_to_roll_back_to(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    for target in [None, Some(version(7))] {
        let missing = database.release_rollback(&blog, "ann", target).await;
        assert!(matches!(missing, Err(DatabaseError::Missing)));
    }
}

async fn desired_holds_what_serves_and_what_is_to_serve(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("web")).await.unwrap();
    database.mark_deployed(&blog, version(2)).await.unwrap();
    database.release_config(&blog, "ann", &change(r#"{"values": {"A": "1"}}"#)).await.unwrap();
    database.add_domain(&blog, "ann", "WWW.example.com", None).await.unwrap();
    let desired = database.desired(&blog).await.unwrap().unwrap();
    let (deployed, pending) = (desired.deployed.unwrap(), desired.pending.unwrap());
    assert_eq!((deployed.version, pending.version), (version(2), version(3)));
    assert_eq!(deployed.build, pending.build);
    assert_eq!(pending.config.values.0["A"], "1");
    assert_eq!(desired.domains, ["www.example.com"]);
    assert_eq!(desired.owner, "ann");
    assert!(database.desired(&app("other")).await.unwrap().is_none());
}

async fn deleting_an_app_takes_all_that_belongs_to_it(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.release_build(&blog, image("")).await.unwrap();
    database.add_domain(&blog, "ann", "example.com", None).await.unwrap();
    database.grant(&blog, "bob").await.unwrap();
    database.next_job(&blog, version(2)).await.unwrap();
    assert!(database.delete_app(&blog).await.unwrap());
    assert!(!database.delete_app(&blog).await.unwrap());
    assert!(database.apps().await.unwrap().is_empty());
    assert!(database.route_domains().await.unwrap().is_empty());
    assert!(database.containers(&blog).await.unwrap().is_empty());
    database.create_app(&blog, "bob", "blog.example.com").await.unwrap();
    check_releases(&database, &blog, "v1:deployed").await;
    assert!(database.collaborators(&blog).await.unwrap().is_empty());
}

async fn containers_that_stay_keep_their_identity(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    let web = |number| (version(2), process("web"), number);
    database.sync_containers(&blog, &[web(1), web(2)]).await.unwrap();
    let first = database.containers(&blog).await.unwrap();
    database.next_job(&blog, version(2)).await.unwrap();
    database.sync_containers(&blog, &[web(1), web(3)]).await.unwrap();
    let second = database.containers(&blog).await.unwrap();
    let names: Vec<String> = second.iter().map(|c| format!("{}.{}", c.process, c.num)).collect();
    assert_eq!(names, ["web.1", "run.1", "web.3"]);
    assert_eq!(first[0], second[0]);
    database.sync_containers(&app("gone"), &[web(1)]).await.unwrap();
}

async fn job_numbers_count_up_and_old_jobs_are_forgotten(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    for expected in 1..=103 {
        assert_eq!(database.next_job(&blog, version(1)).await.unwrap(), expected);
    }
    assert_eq!(database.containers(&blog).await.unwrap().len(), 100);
    assert!(matches!(database.next_job(&app("gone"), version(1)).await, Err(DatabaseError::Missing)));
}

async fn only_the_first_user_becomes_administrator_and_the_last_one_stays(databases: Databases) {
    let database = database(&databases).await;
    let admins = database.admins(Slice::first(9)).await.unwrap();
    assert_eq!(admins.items.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["ann"]);
    assert!(matches!(database.set_admin("ann", false).await, Err(DatabaseError::LastAdmin { .. })));
    database.set_admin("bob", true).await.unwrap();
    database.set_admin("ann", false).await.unwrap();
    assert!(!database.user("ann").await.unwrap().unwrap().is_admin);
    assert!(matches!(database.set_admin("eve", true).await, Err(DatabaseError::Missing)));
}

async fn a_user_with_apps_cannot_be_deleted(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    assert!(matches!(database.delete_user("ann").await, Err(DatabaseError::OwnsApps { .. })));
    database.grant(&blog, "bob").await.unwrap();
    database.transfer_app(&blog, "bob").await.unwrap();
    assert!(database.collaborators(&blog).await.unwrap().is_empty(), "an owner needs no grant");
    assert!(database.delete_user("ann").await.unwrap());
    assert!(!database.delete_user("ann").await.unwrap());
}

async fn a_user_may_be_logged_in_several_times_until_tokens_are_replaced(databases: Databases) {
    let database = database(&databases).await;
    let valid = async |digest: &str| database.token_user(digest).await.unwrap().map(|user| user.username);
    database.add_token("ann", "one").await.unwrap();
    database.add_token("ann", "two").await.unwrap();
    assert_eq!((valid("one").await.as_deref(), valid("two").await.as_deref()), (Some("ann"), Some("ann")));
    database.replace_tokens("ann", "three").await.unwrap();
    assert_eq!((valid("one").await, valid("three").await.as_deref()), (None, Some("ann")));
    database.delete_all_tokens().await.unwrap();
    assert_eq!(valid("three").await, None);
}

async fn only_so_many_logins_of_a_user_are_kept(databases: Databases) {
    let database = database(&databases).await;
    for number in 0..=100 {
        database.add_token("ann", &number.to_string()).await.unwrap();
    }
    assert!(database.token_user("0").await.unwrap().is_none());
    assert!(database.token_user("100").await.unwrap().is_some());
}

async fn a_key_belongs_to_one_user_whatever_its_comment(databases: Databases) {
    let database = database(&databases).await;
    database.add_key("ann", "laptop", "ssh-rsa AAAA ann", "aa:bb").await.unwrap();
    let again = database.add_key("bob", "mine", "ssh-rsa AAAA bob", "aa:bb").await;
    assert!(matches!(again, Err(DatabaseError::Taken)));
    assert_eq!(database.key_by_fingerprint("aa:bb").await.unwrap().unwrap().owner, "ann");
    assert!(!database.delete_key("bob", "laptop").await.unwrap());
    assert!(database.delete_key("ann", "laptop").await.unwrap());
    assert!(database.key_by_fingerprint("aa:bb").await.unwrap().is_none());
}

async fn a_domain_leads_to_one_app_whatever_its_case(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.create_app(&app("shop"), "bob", "shop.example.com").await.unwrap();
    database.add_domain(&blog, "ann", "Example.com", None).await.unwrap();
    let taken = |result: Result<_, DatabaseError>| matches!(result, Err(DatabaseError::Taken));
    assert!(taken(database.add_domain(&app("shop"), "bob", "example.COM", None).await));
    assert!(taken(database.add_domain(&blog, "ann", "shop.example.com", Some(&app("shop"))).await));
    assert_eq!(database.route_domains().await.unwrap(), [("example.com".to_owned(), blog.clone())]);
    assert!(database.remove_domain(&blog, "EXAMPLE.com").await.unwrap());
}

async fn an_app_cannot_take_a_host_that_is_a_domain(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.add_domain(&blog, "ann", "shop.example.com", Some(&app("shop"))).await.unwrap();
    let taken = database.create_app(&app("shop"), "bob", "shop.example.com").await;
    assert!(matches!(taken, Err(DatabaseError::Taken)));
}

async fn users_see_their_own_apps_and_those_shared_with_them(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    database.create_app(&app("shop"), "bob", "shop.example.com").await.unwrap();
    let seen = async |username: &str| {
        let apps = database.apps_of(username, Slice::first(9)).await.unwrap();
        (apps.total, apps.items.into_iter().map(|app| app.id.to_string()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(seen("bob").await, (1, "shop".to_owned()));
    database.grant(&blog, "bob").await.unwrap();
    database.grant(&blog, "bob").await.unwrap();
    assert_eq!(seen("bob").await, (2, "blog shop".to_owned()));
    assert!(database.app_access(&blog, "bob").await.unwrap().unwrap().shared);
    assert!(database.revoke(&blog, "bob").await.unwrap());
    assert!(!database.revoke(&blog, "bob").await.unwrap());
    assert_eq!(seen("bob").await, (1, "shop".to_owned()));
    assert_eq!(database.all_apps(Slice { offset: 1, limit: 1 }).await.unwrap().items[0].id, app("shop"));
}

async fn settings_are_set_and_removed_together(databases: Databases) {
    let database = database(&databases).await;
    let set =
        |value: Option<&str>| BTreeMap::from([("registrationMode".to_owned(), value.map(str::to_owned))]);
    database.change_settings("controller", &set(Some("disabled"))).await.unwrap();
    database.change_settings("controller", &set(Some("enabled"))).await.unwrap();
    let mode = database.setting("controller", "registrationMode").await.unwrap();
    assert_eq!(mode.as_deref(), Some("enabled"));
    database.change_settings("controller", &set(None)).await.unwrap();
    assert!(database.settings("controller").await.unwrap().is_empty());
}

async fn hosts_are_known_from_their_first_report(databases: Databases) {
    let database = database(&databases).await;
    let at = time::OffsetDateTime::UNIX_EPOCH;
    database.touch_host("one", at).await.unwrap();
    database.touch_host("one", at + time::Duration::SECOND).await.unwrap();
    let hosts = database.hosts().await.unwrap();
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0].last_report, at + time::Duration::SECOND);
}

async fn pushes_are_recorded(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    let push = NewPush {
        owner: "ann".to_owned(),
        sha: "0123".to_owned(),
        fingerprint: "aa:bb".to_owned(),
        receive_user: "ann".to_owned(),
        receive_repo: "blog".to_owned(),
        ssh_connection: String::new(),
        ssh_original_command: String::new(),
    };
    assert_eq!(database.add_push(&blog, push.clone()).await.unwrap().push, push);
}

async fn images_of_new_and_serving_releases_are_in_use(databases: Databases) {
    let (database, blog) = blog(&databases).await;
    for (image, works) in [("one", true), ("two", true), ("three", false), ("four", false)] {
        let released =
            database.release_build(&blog, NewBuild { image: image.to_owned(), ..self::image("web") }).await;
        let version = released.expect("nothing is pending").release.version;
        let is_noted = match works {
            true => database.mark_deployed(&blog, version).await,
            false => database.mark_failed(&blog, version, "crashed").await,
        };
        assert!(is_noted.expect("the database answers"), "it is pending");
    }
    let in_use = database.images_in_use(1).await.expect("the database answers");
    assert_eq!(in_use, [(blog.clone(), "four".to_owned()), (blog, "two".to_owned())]);
}

async fn names_sort_by_their_bytes(databases: Databases) {
    let database = databases.open().await;
    for username in ["b", "a_b", "aB", "ab", "B", "a-b", "\u{e4}"] {
        database.create_user(user(username)).await.unwrap();
    }
    let users = database.users(Slice::first(9)).await.unwrap().items;
    let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
    assert_eq!(names, ["B", "a-b", "aB", "a_b", "ab", "b", "\u{e4}"]);
}

async fn a_copy_of_a_repository_is_replaced_by_who_knows_the_one_that_counts(databases: Databases) {
    let database = database(&databases).await;
    let made = database.create_app(&app("blog"), "ann", "blog.example.com").await.expect("the name is free");
    let uuid = &made.uuid;
    let replace = async |was, copy| database.replace_repository_copy(uuid, was, copy).await;
    assert_eq!(database.repository_copy(uuid).await.expect("read"), None);
    assert!(replace(None, "one").await.expect("written"));
    // Another builder began before that.
    assert!(!replace(None, "other").await.expect("read"));
    assert!(!replace(Some("older"), "other").await.expect("read"));
    // Whoever did not hear of it asks again.
    assert!(replace(None, "one").await.expect("read"));
    assert!(replace(Some("one"), "two").await.expect("written"));
    assert_eq!(database.repository_copy(uuid).await.expect("read").as_deref(), Some("two"));
    database.delete_app(&app("blog")).await.expect("deleted");
    assert_eq!(database.repository_copy(uuid).await.expect("read"), None);
    assert!(matches!(replace(Some("two"), "three").await, Err(DatabaseError::Missing)));
}
