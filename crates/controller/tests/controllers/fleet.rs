//! Controllers in processes of their own, as far as one process can have them: each in a runtime that can be killed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use deis_api::client::{Credential, InternalClient, LEADER, Peers};
use deis_api::internal::{Leader, PlatformRoutes};
use deis_controller::reconcile::DeploySettings;
use deis_controller::{Config, Controller, Vault};
use deis_database::{Database, NewUser};
use deis_model::{AppId, AppRoute, ContainerStatus};
use deis_runtime::{Role, Shutdown, StatusBoard};
use deis_scheduler::Engine;
use futures::FutureExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::engine::SharedEngine;
use super::surroundings::{Table, publish, route};

pub(crate) const KEY: &str = "internal-key";
const TOKEN: &str = "token-of-ann";

/// How long anything may take, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(120);
/// How long between looks.
const LOOK: Duration = Duration::from_millis(10);

/// Several controllers with the app `blog`, a publisher and a router.
pub(crate) struct Fleet {
    /// Of a database in a file.
    directory: Option<TempDir>,
    pub(crate) engine: SharedEngine,
    database: Database,
    controllers: Vec<Running>,
    table: Table,
    surroundings: Shutdown,
    http: reqwest::Client,
}

struct Running {
    url: String,
    shutdown: Shutdown,
    /// None once it ended.
    runtime: Option<Runtime>,
    ended: JoinHandle<()>,
}

/// Calls one controller, whether it lives or not.
pub(crate) struct Caller {
    http: reqwest::Client,
    url: String,
}

/// An answer of a controller.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Who leads, if it says so.
    pub(crate) leader: String,
    pub(crate) body: String,
}

impl Fleet {
    /// On a database in a file.
    pub(crate) async fn start(count: usize) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let url = format!("sqlite://{}", directory.path().join("deis.sqlite").display());
        let mut fleet = Self::on(&url, count).await;
        fleet.directory = Some(directory);
        fleet
    }

    /// On the empty database at `url`.
    pub(crate) async fn on(url: &str, count: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::open(url).await.unwrap();
        add_app(&database).await;
        let engine = SharedEngine::open(count).await;
        let mut controllers = Vec::new();
        for number in 0..count {
            controllers.push(Running::start(number, url.to_owned(), engine.of(number)).await);
        }
        let addresses = controllers.iter().map(|running| running.url.trim_start_matches("http://"));
        let client = InternalClient::over(Peers::new(addresses, None), Credential::Key(KEY.to_owned()));
        let surroundings = Shutdown::new();
        publish(engine.engine.clone(), client.clone(), surroundings.clone());
        let table = route(client, surroundings.clone());
        let http = reqwest::Client::builder().no_proxy().timeout(LIMIT).build().unwrap();
        Self { directory: None, engine, database, controllers, table, surroundings, http }
    }

    /// The one that leads, and another one.
    pub(crate) async fn leader_and_follower(&self) -> (usize, usize) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while tokio::time::Instant::now() < deadline {
            for number in self.alive() {
                let answer = self.call(number, "GET", "/internal/leader", &json!(null)).await;
                let leader: Leader = serde_json::from_str(&answer.body).unwrap_or_default();
                if leader.url.as_deref() == Some(self.url(number)) {
                    return (number, self.alive().find(|other| *other != number).unwrap_or(number));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("no controller leads");
    }

    pub(crate) fn url(&self, controller: usize) -> &str {
        &self.controllers[controller].url
    }

    fn alive(&self) -> impl Iterator<Item = usize> {
        (0..self.controllers.len()).filter(|number| self.controllers[*number].runtime.is_some())
    }

    /// Ends a controller as a signal does.
    pub(crate) async fn stop(&mut self, controller: usize) {
        let running = &mut self.controllers[controller];
        running.shutdown.cancel();
        let ended = tokio::time::timeout(LIMIT, &mut running.ended).await;
        ended.expect("a controller ends").unwrap();
        self.kill(controller);
    }

    /// Ends a controller without warning.
    pub(crate) fn kill(&mut self, controller: usize) {
        if let Some(runtime) = self.controllers[controller].runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Calls one controller as a component and as the user `ann`.
    pub(crate) async fn call(&self, controller: usize, method: &str, path: &str, body: &Value) -> Answer {
        send(&self.http, self.url(controller), method, path, body).await
    }

    /// Calls each of them, whether it lives or not.
    pub(crate) fn callers(&self) -> Vec<Caller> {
        let urls = self.controllers.iter().map(|running| running.url.clone());
        urls.map(|url| Caller { http: self.http.clone(), url }).collect()
    }

    /// Posts to one controller, in the background.
    pub(crate) fn calling(&self, controller: usize, path: &str, body: &Value) -> JoinHandle<Answer> {
        let (http, url, path) = (self.http.clone(), self.url(controller).to_owned(), path.to_owned());
        let body = body.clone();
        tokio::spawn(async move { send(&http, &url, "POST", &path, &body).await })
    }

    /// Posts to one controller, and expects `status` and a body that holds `part`.
    pub(crate) async fn check(&self, controller: usize, path: &str, body: &Value, status: u16, part: &str) {
        let answer = self.call(controller, "POST", path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(part), "{path}: {}", answer.body);
    }

    /// What one controller shows.
    pub(crate) async fn read(&self, controller: usize, path: &str) -> Value {
        let answer = self.call(controller, "GET", path, &json!(null)).await;
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Deploys `image` through one controller.
    pub(crate) async fn push(&self, controller: usize, image: &str) {
        let answer = self.pushing(controller, image).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    /// The same, in the background.
    pub(crate) fn pushing(&self, controller: usize, image: &str) -> JoinHandle<Answer> {
        self.calling(controller, "/v1/apps/blog/builds", &build(image))
    }

    /// The containers there are.
    pub(crate) fn names(&self) -> Vec<String> {
        self.containers().iter().map(|container| container.name.to_string()).collect()
    }

    /// The incarnations there are.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.containers().into_iter().map(|container| container.id).collect()
    }

    fn containers(&self) -> Vec<ContainerStatus> {
        let observed = self.engine.engine.scheduler.observe(None).now_or_never();
        observed.expect("what only pretends answers at once").unwrap()
    }

    /// What one controller changed on the engine.
    pub(crate) fn changes_by(&self, controller: usize) -> Vec<String> {
        self.engine.changes(controller)
    }

    pub(crate) fn routed(&self) -> Vec<String> {
        self.table.containers()
    }

    pub(crate) fn router_lost(&self) -> BTreeSet<AppId> {
        self.table.lost()
    }

    /// What the router knows of the app `blog`, and beside routes.
    pub(crate) fn told(&self) -> (Option<AppRoute>, PlatformRoutes) {
        (self.table.blog(), self.table.platform())
    }

    pub(crate) fn router_epoch(&self) -> String {
        self.table.epoch()
    }

    /// Whether a host has reported and was not forgotten.
    pub(crate) async fn knows_host(&self, name: &str) -> bool {
        self.database.hosts().await.unwrap().iter().any(|host| host.name == name)
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !condition() {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Caller {
    /// Posts as the user `ann`; none if no answer comes.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Option<Answer> {
        try_send(&self.http, &self.url, "POST", path, body).await.ok()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.surroundings.cancel();
        (0..self.controllers.len()).for_each(|controller| self.kill(controller));
    }
}

impl Running {
    async fn start(number: usize, database: String, engine: Engine) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (shutdown, (told, address)) = (Shutdown::new(), oneshot::channel());
        let ending = shutdown.clone();
        let opening = runtime.spawn(async move { Database::open(&database).await });
        let database = opening.await.unwrap().unwrap();
        let ended = runtime.spawn(async move {
            let controller = Controller::bind(config(number, database, engine)).await.unwrap();
            told.send(controller.local_addr()).unwrap();
            controller.run(ending).await.unwrap();
        });
        let url = format!("http://{}", address.await.unwrap());
        Self { url, shutdown, runtime: Some(runtime), ended }
    }
}

/// What a controller is told.
pub(crate) fn config(number: usize, database: Database, engine: Engine) -> Config {
    // Nobody listens there: events are lost, and nobody asks for images that are not needed.
    let nobody = InternalClient::new("http://127.0.0.1:9", KEY);
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        name: format!("host-{number}"),
        url: None,
        // There are others, wherever they are.
        peers: vec!["http://127.0.0.1:9".to_owned()],
        dial: Arc::new(|url| InternalClient::new(url, KEY)),
        identity: None,
        controllers: Vec::new(),
        database,
        engine,
        deploys: DeploySettings {
            domain: "example.com".to_owned(),
            ready_timeout: LIMIT,
            drain_timeout: Duration::from_secs(20),
            stop_grace: Duration::from_secs(1),
            job_timeout: LIMIT,
            move_pause: Duration::from_secs(60),
        },
        internal_key: KEY.to_owned(),
        vault: Vault::open(&"a".repeat(64)).unwrap(),
        registry: "127.0.0.1:5000".to_owned(),
        registry_client: nobody.clone(),
        logger: nobody,
        builders: Vec::new(),
        status: StatusBoard::new(Role::Controller),
    }
}

/// A build that only has `web`.
pub(crate) fn build(image: &str) -> Value {
    json!({"image": image, "sha": "0123456789", "procfile": {"web": "serve"}})
}

async fn add_app(database: &Database) {
    let user = NewUser {
        username: "ann".to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: "none".to_owned(),
    };
    database.create_user(user).await.unwrap();
    database.add_token("ann", &hex::encode(Sha256::digest(TOKEN))).await.unwrap();
    let app = AppId::parse("blog").unwrap();
    database.create_app(&app, "ann", "blog.example.com").await.unwrap();
}

async fn send(http: &reqwest::Client, url: &str, method: &str, path: &str, body: &Value) -> Answer {
    try_send(http, url, method, path, body).await.unwrap()
}

async fn try_send(
    http: &reqwest::Client,
    url: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> reqwest::Result<Answer> {
    let method = method.parse().unwrap();
    let credential = match path.starts_with("/internal") {
        true => format!("Bearer {KEY}"),
        false => format!("token {TOKEN}"),
    };
    let request = http.request(method, format!("{url}{path}")).header("authorization", credential);
    let response = request.json(body).send().await?;
    let leader = response.headers().get(LEADER).map_or("", |value| value.to_str().unwrap()).to_owned();
    Ok(Answer { status: response.status(), leader, body: response.text().await? })
}
