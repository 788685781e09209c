//! The process of the controller: the real one, on an engine that pretends.
//!
//! Before it serves it has everything run that is wanted, as after a restart on a platform that went on without it. It
//! tells its parent what runs: a line for each app, again when something changed, as `blog blog_v2.web.1=<id> …`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deis_api::client::InternalClient;
use deis_controller::reconcile::DeploySettings;
use deis_controller::{Config, Controller, Vault};
use deis_database::Database;
use deis_model::{AppId, ContainerStatus, intent};
use deis_runtime::{DataDir, Role, Secrets, Shutdown, StatusBoard, telemetry};
use deis_scheduler::{Change, Engine, Scheduler};
use futures::StreamExt;

use super::seed;

/// Where nobody listens: there is neither a logger nor a registry.
const NOWHERE: &str = "http://127.0.0.1:9";
/// What images of the fake expose.
const PORTS: [u16; 1] = [5000];

/// Serves at `address` with the data in `directory` until it is killed.
pub(crate) fn lead(directory: &str, address: &str) {
    let address = address.parse().expect("ADDRESS is like 127.0.0.1:8000");
    let tasks = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    tasks.expect("threads can be started").block_on(run(Path::new(directory), address));
}

async fn run(directory: &Path, listen: SocketAddr) {
    let data = DataDir::open(directory).expect("the directory is there");
    let journal = data.directory("journal").expect("a directory can be made");
    telemetry::start(&journal, "controller").expect("a log can be made");
    let keys = Secrets::open_in(&directory.join("secrets")).expect("keys are there");
    let database = seed::open(directory).await;
    let engine = deis_scheduler::open("memory://", Default::default()).await.expect("it is always there");
    pretend(&database, &engine).await;
    tokio::spawn(tell(Arc::clone(&engine.scheduler)));
    await_order().await;
    let controller =
        Controller::bind(config(listen, database, engine, keys)).await.expect("the port is free");
    controller.run(Shutdown::new()).await.expect("it serves until it is killed");
}

/// Has everything run that is wanted, and tells of it.
async fn pretend(database: &Database, engine: &Engine) {
    for app in database.apps().await.expect("apps can be read") {
        let desired = database.desired(&app).await.expect("an app can be read").expect("it exists");
        let deployed = desired.deployed.as_ref().expect("every app is deployed");
        for workload in intent::workloads(&desired, deployed, &PORTS) {
            engine.scheduler.apply(&workload).await.expect("it only pretends");
        }
        tell_of(&app, &*engine.scheduler).await;
    }
}

/// Tells of what changes.
async fn tell(scheduler: Arc<dyn Scheduler>) {
    let mut changes = scheduler.watch();
    while let Some(change) = changes.next().await {
        match change {
            Change::App(app) => tell_of(&app, &*scheduler).await,
            Change::All => panic!("more changed at once than can be followed"),
        }
    }
}

async fn tell_of(app: &AppId, scheduler: &dyn Scheduler) {
    let containers = scheduler.observe(Some(app)).await.expect("it only pretends");
    let entry = |container: &ContainerStatus| format!(" {}={}", container.name, container.id);
    let entries: String = containers.iter().map(entry).collect();
    // Whoever does not listen any more is about to kill this process.
    let _ = writeln!(std::io::stdout(), "{app}{entries}");
}

/// Says that all is told, and waits for a line.
async fn await_order() {
    let _ = writeln!(std::io::stdout(), "-");
    let ordered = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    ordered.await.expect("it does not panic").expect("the parent writes to it");
}

fn config(listen: SocketAddr, database: Database, engine: Engine, keys: Secrets) -> Config {
    let key = keys.internal_key.clone();
    Config {
        listen,
        name: "simulated".to_owned(),
        url: None,
        peers: Vec::new(),
        dial: Arc::new(move |url| InternalClient::new(url, &key)),
        identity: None,
        vault: Vault::open(&"5".repeat(64)).expect("32 bytes in hexadecimal"),
        controllers: Vec::new(),
        database,
        engine,
        deploys: DeploySettings {
            domain: "localhost".to_owned(),
            ready_timeout: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(30),
            stop_grace: Duration::from_secs(10),
            job_timeout: Duration::from_secs(1200),
            move_pause: Duration::from_secs(60),
        },
        registry: "127.0.0.1:5000".to_owned(),
        registry_client: InternalClient::of_registry(NOWHERE, "deis", &keys.registry_password),
        logger: InternalClient::new(NOWHERE, &keys.internal_key),
        builders: Vec::new(),
        status: StatusBoard::new(Role::Controller),
        internal_key: keys.internal_key,
    }
}
