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

use crate::fixture::{Client, Controller, config, run};

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
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flask_example_is_built_by_a_real_engine() {
    let Ok(url) = std::env::var("DEIS_TEST_DOCKER_URL") else {
        println!("skipped: DEIS_TEST_DOCKER_URL is not set");
        return;
    };
    let options = Options { platform: "deis-builder-test".to_owned(), ..Options::default() };
    let engine = deis_scheduler::open(&url, options).await.expect("the engine answers");
    let registry = std::env::var("DEIS_TEST_REGISTRY").ok();
    let images: Arc<dyn Images> = Arc::new(Timed { images: engine.images, registry: registry.is_some() });
    let controller = Controller::start().await;
    controller.knows().config.insert("SECRET".to_owned(), "never in the image".to_owned());
    let data = tempfile::tempdir().unwrap();
    let nothing = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&data, &controller);
    config.registry = registry.unwrap_or_else(|| nothing.local_addr().unwrap().to_string());
    let (port, _shutdown, _running) = run(config, images.clone()).await;
    let client = Client::new(port).await;
    controller.add_key("ann", &client.public_key());

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
}
