//! A push built by a real engine: set `DEIS_TEST_DOCKER_URL`, as in `docker://`, and perhaps `DEIS_TEST_REGISTRY`, as in
//! `127.0.0.1:5000`, for images to be kept there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use deis_model::Environment;
use deis_scheduler::{
    BuildContainer, BuildOutcome, Credentials, ImageFacts, Images, Options, Progress, SchedulerError,
};
use tokio::io::AsyncRead;

use crate::fixture::{BLOG, Client, Controller, config, run};

/// An engine that tells how long things take; without a registry it keeps nothing.
struct Timed {
    images: Arc<dyn Images>,
    registry: bool,
}

#[async_trait]
impl Images for Timed {
    async fn inspect(&self, image: &str) -> Result<Option<ImageFacts>, SchedulerError> {
        self.images.inspect(image).await
    }

    async fn import(
        &self,
        image: &str,
        root: Box<dyn AsyncRead + Send + Unpin>,
        changes: &[String],
    ) -> Result<(), SchedulerError> {
        self.images.import(image, root, changes).await
    }

    async fn build(
        &self,
        image: &str,
        context: Box<dyn AsyncRead + Send + Unpin>,
        arguments: &Environment,
        labels: &BTreeMap<String, String>,
        progress: Progress,
    ) -> Result<(), SchedulerError> {
        self.images.build(image, context, arguments, labels, progress).await
    }

    async fn build_in(
        &self,
        build: BuildContainer,
        progress: Progress,
    ) -> Result<BuildOutcome, SchedulerError> {
        let started = Instant::now();
        let built = self.images.build_in(build, progress).await;
        println!("built in {:?}", started.elapsed());
        built
    }

    async fn remove_builds(&self) -> Result<(), SchedulerError> {
        self.images.remove_builds().await
    }

    async fn push(
        &self,
        image: &str,
        credentials: &Credentials,
        progress: Progress,
    ) -> Result<(), SchedulerError> {
        let started = Instant::now();
        if self.registry {
            self.images.push(image, credentials, progress).await?;
        }
        println!("kept in {:?}", started.elapsed());
        Ok(())
    }

    async fn tag(&self, image: &str, name: &str) -> Result<(), SchedulerError> {
        self.images.tag(image, name).await
    }

    async fn remove_image(&self, image: &str) -> Result<(), SchedulerError> {
        self.images.remove_image(image).await
    }

    async fn list(&self, label: &str) -> Result<Vec<String>, SchedulerError> {
        self.images.list(label).await
    }

    async fn volumes(&self) -> Result<Vec<String>, SchedulerError> {
        self.images.volumes().await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), SchedulerError> {
        self.images.remove_volume(name).await
    }
}

/// A builder with a real engine, and a client of it.
struct Real {
    images: Arc<dyn Images>,
    controller: Controller,
    client: Client,
    _data: tempfile::TempDir,
    _registry: tokio::net::TcpListener,
}

impl Real {
    /// Starts one, if there is an engine to test with.
    async fn start() -> Option<Self> {
        let Ok(url) = std::env::var("DEIS_TEST_DOCKER_URL") else {
            println!("skipped: DEIS_TEST_DOCKER_URL is not set");
            return None;
        };
        // A builder that starts removes its platform's builds: tests side by side are different platforms.
        let data = tempfile::tempdir().expect("a directory");
        let platform = format!("deis-builder-test{}", data.path().file_name().expect("a name").display());
        let options = Options { platform, ..Options::default() };
        let engine = deis_scheduler::open(&url, options).await.expect("the engine answers");
        let kept_at = std::env::var("DEIS_TEST_REGISTRY").ok();
        let images: Arc<dyn Images> = Arc::new(Timed { images: engine.images, registry: kept_at.is_some() });
        let controller = Controller::start().await;
        let registry = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut config = config(&data, &controller);
        config.registry = kept_at.unwrap_or_else(|| registry.local_addr().expect("bound").to_string());
        let (port, _, _) = run(config, images.clone()).await;
        let client = Client::new(port).await;
        controller.add_key("ann", &client.public_key());
        Some(Self { images, controller, client, _data: data, _registry: registry })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flask_example_is_built_by_a_real_engine() {
    let Some(Real { images, controller, client, .. }) = &Real::start().await else { return };
    controller.knows().config.insert("SECRET".to_owned(), "never in the image".to_owned());
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python-flask");
    for name in ["Procfile", "app.py", "requirements.txt"] {
        client.commit(name, &std::fs::read_to_string(example.join(name)).unwrap()).await;
    }
    for _ in 0..3 {
        let started = Instant::now();
        let printed = client.push().await.succeeded().says("Python app detected").says("blog:v");
        println!("{}\ntook {:?}", printed.text(), started.elapsed());
        let image = controller.knows().builds.last().unwrap().image.clone();
        let facts = images.inspect(&image).await.unwrap().expect("it was made");
        assert_eq!(facts.ports, [5000]);
        assert_eq!(facts.environment.0["PORT"], "5000");
        assert!(facts.environment.0.contains_key("GIT_SHA"));
        assert!(!facts.environment.0.contains_key("SECRET"));
        assert!(images.list("io.deis.app=blog").await.unwrap().contains(&image));
        images.remove_image(&image).await.unwrap();
        client.commit("extra.py", &format!("# {:?}", started.elapsed())).await;
    }
    assert_eq!(images.volumes().await.unwrap(), [BLOG]);
    images.remove_volume(BLOG).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_build_on_a_real_engine_shows_what_failed() {
    let Some(Real { images, controller, client, .. }) = &Real::start().await else { return };
    client.commit("requirements.txt", "no-such-package-of-ours==1.0\n").await;
    client.push().await.failed().says("no-such-package-of-ours").says("the build failed with status 1");
    client.commit("Dockerfile", "FROM deis/stack\nRUN false\n").await;
    client.push().await.failed().says("the Dockerfile build failed").says("RUN false");
    assert!(controller.knows().builds.is_empty());
    images.remove_volume(BLOG).await.unwrap();
}
