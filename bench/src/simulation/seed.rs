//! What is wanted: a user, apps, their builds and releases, written before the controller starts.

use std::path::Path;

use deis_database::{Database, NewBuild, NewUser};
use deis_model::{AppId, Formation, ProcessType, Procfile};
use deis_runtime::{Secrets, secrets};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::size::{REPLICAS, Size, app};

/// Whose apps they are.
const OWNER: &str = "bench";

/// How to be let in.
pub(super) struct Seed {
    /// As publishers.
    pub(super) internal_key: String,
    /// As the apps' owner.
    pub(super) token: String,
}

impl Seed {
    /// Writes everything below `directory`.
    pub(super) async fn plant(directory: &Path, size: Size) -> Self {
        let keys = directory.join("secrets");
        std::fs::create_dir(&keys).expect("the directory is new");
        let internal_key = Secrets::open_in(&keys).expect("keys can be made").internal_key;
        let token = secrets::random_hex()[..40].to_owned();
        let database = open(directory).await;
        add_user(&database, &token).await;
        // Apps without a ready container are known by their 503, for which nobody is to wait.
        let unqueued = [("queue".to_owned(), Some("0".to_owned()))].into();
        database.change_settings("router", &unqueued).await.expect("the mesh can be set");
        for index in 0..size.apps() {
            add_app(&database, &app(index)).await;
        }
        for index in 0..size.hosts() {
            let noted = database.touch_host(&host(index), OffsetDateTime::now_utc()).await;
            noted.expect("a host can be noted");
        }
        database.close().await;
        Self { internal_key, token }
    }
}

/// Opens the database below `directory`.
pub(super) async fn open(directory: &Path) -> Database {
    let url = format!("sqlite://{}/deis.sqlite", directory.display());
    Database::open(&url).await.expect("the database can be opened")
}

/// The name of the host with this index.
pub(super) fn host(index: usize) -> String {
    format!("host-{index:04}")
}

async fn add_user(database: &Database, token: &str) {
    let user = NewUser {
        username: OWNER.to_owned(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: String::new(),
    };
    database.create_user(user).await.expect("a user can be made");
    let digest = hex::encode(Sha256::digest(token.as_bytes()));
    database.add_token(OWNER, &digest).await.expect("a token can be added");
}

/// An app whose release v2 serves, with all its containers.
async fn add_app(database: &Database, app: &AppId) {
    let web = ProcessType::web();
    let replicas = u32::try_from(REPLICAS).expect("few");
    database.create_app(app, OWNER, &format!("{app}.localhost")).await.expect("an app can be made");
    let formation = Formation::from([(web.clone(), replicas)]);
    database.set_formation(app, &formation).await.expect("an app can be scaled");
    let build = NewBuild {
        owner: OWNER.to_owned(),
        image: format!("127.0.0.1:5000/{app}:git-0123abcd"),
        sha: "0123abcd".repeat(5),
        procfile: Procfile([(web.clone(), "serve".to_owned())].into()),
        dockerfile: String::new(),
    };
    let released = database.release_build(app, build).await.expect("a release can be made").release.version;
    database.mark_deployed(app, released).await.expect("a release can be deployed");
    let containers: Vec<_> = (1..=replicas).map(|number| (released, web.clone(), number)).collect();
    database.sync_containers(app, &containers).await.expect("containers can be noted");
}
