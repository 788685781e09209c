//! A platform for one test: users `ann` (administrator), `bob` and `eve` who are logged in, and no apps.

use std::sync::{Arc, Once};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use deis_api::client::InternalClient;
use deis_controller::Vault;
use deis_controller::app::{Deploys, Events};
use deis_controller::http::{ApiState, api};
use deis_database::{Database, NewUser};
use deis_runtime::Shutdown;
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::deploys::FakeDeploys;
use super::logger::FakeLogger;

/// What other components authenticate with.
pub(crate) const INTERNAL_KEY: &str = "internal-key";

/// What the platform's registry is called.
pub(crate) const REGISTRY: &str = "127.0.0.1:5000";

pub(crate) struct Platform {
    router: Router,
    pub(crate) database: Database,
    pub(crate) deploys: Arc<FakeDeploys>,
    pub(crate) logger: FakeLogger,
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) phrase: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Platform {
    /// With users that are logged in.
    pub(crate) async fn start() -> Self {
        let platform = Self::start_empty().await;
        for username in ["ann", "bob", "eve"] {
            platform.add_user(username).await;
        }
        platform
    }

    /// Without any user.
    pub(crate) async fn start_empty() -> Self {
        install_crypto();
        let database = Database::open("sqlite::memory:").await.unwrap();
        let deploys = Arc::new(FakeDeploys::new(database.clone()));
        let logger = FakeLogger::start().await;
        let client = InternalClient::new(&logger.url, INTERNAL_KEY);
        let router = api(ApiState {
            database: database.clone(),
            deploys: Arc::clone(&deploys) as Arc<dyn Deploys>,
            events: Events::start(client.clone(), Shutdown::new()),
            domain: "example.com".to_owned(),
            logger: client,
            registry_host: REGISTRY.to_owned(),
            internal_key: INTERNAL_KEY.to_owned(),
            vault: Vault::open(&"a".repeat(64)).unwrap(),
        });
        Self { router, database, deploys, logger }
    }

    async fn add_user(&self, username: &str) {
        let user = NewUser {
            username: username.to_owned(),
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: "none".to_owned(),
        };
        self.database.create_user(user).await.unwrap();
        let digest = hex::encode(Sha256::digest(username));
        self.database.add_token(username, &digest).await.unwrap();
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let phrase = response.extensions().get::<ReasonPhrase>();
        let phrase =
            String::from_utf8(phrase.map_or_else(Vec::new, |phrase| phrase.as_bytes().to_vec())).unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, phrase, headers: parts.headers, body }
    }

    /// Sends `call` (`GET /v1/apps/`) with `body` as `who`: a user, a token, nobody (empty) or `builder`.
    pub(crate) async fn call(&self, who: &str, call: &str, body: &str) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header("host", "deis.example.com")
            .header("content-type", "application/json");
        let request = match who {
            "" => request,
            "builder" => request.header("x-deis-builder-auth", INTERNAL_KEY),
            token => request.header("authorization", format!("token {token}")),
        };
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Calls and expects `status` and a body that is `expected`, or holds it if that ends in `…`.
    pub(crate) async fn check(
        &self,
        who: &str,
        call: &str,
        body: &str,
        status: u16,
        expected: &str,
    ) -> Answer {
        let answer = self.call(who, call, body).await;
        assert_eq!(answer.status.as_u16(), status, "{who}: {call} {body}: {}", answer.body);
        match expected.strip_suffix('…') {
            Some(part) => assert!(answer.body.contains(part), "{who}: {call} {body}: {}", answer.body),
            None => assert_eq!(answer.body, expected, "{who}: {call} {body}"),
        }
        answer
    }

    /// Makes the app `blog` of bob.
    pub(crate) async fn with_app(self) -> Self {
        self.check("bob", "POST /v1/apps/", r#"{"id": "blog"}"#, 201, "…").await;
        self
    }

    /// Makes the app `blog` of bob with an image that has `web` and `worker`, deployed as v2.
    pub(crate) async fn with_build(self) -> Self {
        let platform = self.with_app().await;
        let build = r#"{"image": "example/blog", "procfile": {"web": "serve", "worker": "work"}}"#;
        platform.check("bob", "POST /v1/apps/blog/builds/", build, 201, "…").await;
        platform
    }

    /// Sets `controller/registrationMode`.
    pub(crate) async fn registration_mode(&self, mode: &str) {
        let changes = [("registrationMode".to_owned(), Some(mode.to_owned()))].into();
        self.database.change_settings("controller", &changes).await.unwrap();
    }
}

fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}
