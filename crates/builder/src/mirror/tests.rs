//! Builders on several hosts, with one store and one controller.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use deis_api::internal::{CopyChange, RepositoryCopy};
use deis_store::MemoryStore;

use super::copy::MAX_PACKS;
use super::pack::Quarantine;
use super::*;
use crate::error::PushError;
use crate::reference::RefUpdate;
use crate::repository::Repositories;

const APP: &str = "6c5e6a5e-5a1e-4d5e-8d3b-3a2f7f0f9d11";
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// The name of the copy that counts.
type Counting = Arc<Mutex<Option<String>>>;

/// A store, and a controller that only knows which copy counts.
struct Site {
    store: Arc<MemoryStore>,
    controller: InternalClient,
    counting: Counting,
}

impl Site {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let counting = Counting::default();
        let router = Router::new()
            .route("/internal/repositories/{uuid}", get(tell).put(replace))
            .with_state(Arc::clone(&counting));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let controller = InternalClient::new(&url, "key");
        Self { store: Arc::new(MemoryStore::default()), controller, counting }
    }

    fn host(&self) -> Host {
        let directory = tempfile::tempdir().expect("a directory");
        let repositories = Repositories::new(directory.path());
        let mirror = Mirror::new(self.store.clone(), self.controller.clone());
        Host { _directory: directory, repositories, mirror, app: AppUuid::parse(APP).expect("valid") }
    }

    async fn objects(&self) -> usize {
        self.store.list("", None).count().await
    }
}

async fn tell(State(counting): State<Counting>) -> Json<RepositoryCopy> {
    Json(RepositoryCopy { copy: counting.lock().expect("whole").clone() })
}

async fn replace(State(counting): State<Counting>, Json(change): Json<CopyChange>) -> StatusCode {
    let mut counting = counting.lock().expect("whole");
    if *counting != change.was {
        return StatusCode::CONFLICT;
    }
    *counting = Some(change.copy);
    StatusCode::NO_CONTENT
}

/// One host with its repositories.
struct Host {
    _directory: tempfile::TempDir,
    repositories: Repositories,
    mirror: Mirror,
    app: AppUuid,
}

/// A repository that is open for a push.
struct Open {
    repository: Repository,
    copy: Copy,
    _lock: Lock,
}

impl Host {
    async fn open(&self) -> Open {
        let lock = self.repositories.lock(&self.app).unwrap().unwrap();
        let repository = self.repositories.open(&self.app, &lock).await.unwrap();
        let copy = self.mirror.restore(&self.app, &repository, &lock).await.unwrap();
        Open { repository, copy, _lock: lock }
    }

    /// A whole push of a commit on `branch`.
    async fn push(&self, branch: &str, subject: &str) {
        let open = self.open().await;
        let update = open.commit(branch, subject);
        open.publish(&update).await.unwrap();
        open.let_in(&update);
        open.copy.settle().await.unwrap();
    }

    /// Branch → subject of its commit.
    async fn branches(&self) -> BTreeMap<String, String> {
        let open = self.open().await;
        let mut found = BTreeMap::new();
        for (name, object) in pack::refs(&open.repository.path).await.unwrap() {
            let subject = output(&open.repository.path, &["log", "-1", "--format=%s", &object]);
            found.insert(name.strip_prefix("refs/heads/").unwrap().to_owned(), subject);
        }
        found
    }
}

impl Open {
    /// Makes a commit with an empty tree that would be next on `branch`.
    fn commit(&self, branch: &str, subject: &str) -> RefUpdate {
        let path = &self.repository.path;
        let tree = output(path, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
        let name = format!("refs/heads/{branch}");
        let old = output(path, &["for-each-ref", "--format=%(objectname)", &name]);
        let mut arguments = vec!["commit-tree", &tree, "-m", subject];
        if !old.is_empty() {
            arguments.extend(["-p", &old]);
        }
        let new = output(path, &arguments);
        RefUpdate { old: if old.is_empty() { NOTHING.to_owned() } else { old }, new, name }
    }

    fn delete(&self, branch: &str) -> RefUpdate {
        RefUpdate { old: String::new(), new: NOTHING.to_owned(), name: format!("refs/heads/{branch}") }
    }

    async fn draft(&self, update: &RefUpdate) -> Draft {
        let updates = std::slice::from_ref(update);
        let drafted = self.copy.draft(updates, &Quarantine::new(), self.repository.head()).await;
        drafted.unwrap().expect("something changes")
    }

    async fn publish(&self, update: &RefUpdate) -> Result<(), PushError> {
        self.copy.publish(self.draft(update).await).await
    }

    /// What git does when it was told that it may.
    fn let_in(&self, update: &RefUpdate) {
        output(&self.repository.path, &["update-ref", &update.name, &update.new]);
    }
}

fn output(repository: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.env("GIT_DIR", repository).env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), "ada@example.com");
    }
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("git speaks text").trim().to_owned()
}

fn expect(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(branch, subject)| ((*branch).to_owned(), (*subject).to_owned())).collect()
}

#[tokio::test]
async fn a_repository_follows_its_builder_from_host_to_host() {
    let site = Site::start().await;
    let (one, two) = (site.host(), site.host());
    one.push("main", "first").await;
    one.push("main", "second").await;
    assert_eq!(two.branches().await, expect(&[("main", "second")]));
    two.push("main", "third").await;
    two.push("topic", "aside").await;
    assert_eq!(one.branches().await, expect(&[("main", "third"), ("topic", "aside")]));
    let open = one.open().await;
    let update = open.delete("topic");
    open.publish(&update).await.unwrap();
    open.let_in(&update);
    open.copy.settle().await.unwrap();
    assert_eq!(two.branches().await, expect(&[("main", "third")]));
}

#[tokio::test]
async fn of_builders_that_take_a_push_at_once_one_is_refused() {
    let site = Site::start().await;
    let (cut_off, successor) = (site.host(), site.host());
    cut_off.push("main", "first").await;
    let late = cut_off.open().await;
    let update = late.commit("main", "of the one that was cut off");
    let draft = late.draft(&update).await;
    successor.push("main", "of its successor").await;
    let before = site.objects().await;
    assert!(matches!(late.copy.publish(draft).await, Err(PushError::Overtaken)));
    assert_eq!(site.objects().await, before, "it may have counted for a while, if an answer was lost");
    late.copy.settle().await.unwrap();
    drop(late);
    for host in [&successor, &cut_off, &site.host()] {
        assert_eq!(host.branches().await, expect(&[("main", "of its successor")]));
    }
}

#[tokio::test]
async fn a_database_that_went_back_in_time_stops_nobody() {
    let site = Site::start().await;
    let (one, two) = (site.host(), site.host());
    one.push("main", "first").await;
    let first = site.counting.lock().expect("whole").clone();
    one.push("main", "second").await;
    *site.counting.lock().expect("whole") = first;
    one.mirror.sweep(&one.app).await.unwrap();
    assert_eq!(one.branches().await, expect(&[("main", "second")]), "what is here goes on");
    one.push("main", "third").await;
    assert_eq!(two.branches().await, expect(&[("main", "third")]));
}

#[tokio::test]
async fn what_counts_is_there_also_if_the_builder_is_killed_before_git_lets_it_in() {
    let site = Site::start().await;
    let (one, two) = (site.host(), site.host());
    one.push("main", "first").await;
    let open = one.open().await;
    open.publish(&open.commit("main", "second")).await.unwrap();
    drop(open);
    assert_eq!(two.branches().await, expect(&[("main", "second")]));
    assert_eq!(one.branches().await, expect(&[("main", "second")]));
}

#[tokio::test]
async fn what_git_refuses_does_not_stay_in_the_copy() {
    let site = Site::start().await;
    let (one, two) = (site.host(), site.host());
    one.push("main", "first").await;
    let open = one.open().await;
    open.publish(&open.commit("main", "refused")).await.unwrap();
    open.copy.settle().await.unwrap();
    assert_eq!(two.branches().await, expect(&[("main", "first")]));
}

#[tokio::test]
async fn a_draft_that_is_dropped_leaves_nothing() {
    let site = Site::start().await;
    let host = site.host();
    host.push("main", "first").await;
    let before = site.objects().await;
    let open = host.open().await;
    open.copy.drop_draft(open.draft(&open.commit("main", "second")).await).await;
    assert_eq!(site.objects().await, before);
    drop(open);
    assert_eq!(site.host().branches().await, expect(&[("main", "first")]));
}

#[tokio::test]
async fn many_pushes_become_one_pack_now_and_then() {
    let site = Site::start().await;
    let host = site.host();
    for number in 0..MAX_PACKS + 3 {
        host.push("main", &format!("commit {number}")).await;
    }
    let objects = site.objects().await;
    assert!(objects <= MAX_PACKS + 1, "{objects}");
    assert_eq!(site.host().branches().await, expect(&[("main", &format!("commit {}", MAX_PACKS + 2))]));
}

#[tokio::test]
async fn the_copy_of_an_app_that_is_gone_is_removed_and_that_of_another_stays() {
    let site = Site::start().await;
    let host = site.host();
    host.push("main", "first").await;
    let before = site.objects().await;
    host.mirror.sweep(&host.app).await.unwrap();
    assert_eq!(site.objects().await, before);
    assert_eq!(host.mirror.apps().await.unwrap(), [APP.to_owned()].into());
    host.mirror.remove(APP).await.unwrap();
    assert_eq!(site.objects().await, 0);
}
