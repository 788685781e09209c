//! The images of the fake: names with labels, nothing inside.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use tokio::io::AsyncRead;

use deis_model::Environment;

use super::scheduler::no_image;
use super::{Behaviour, Memory};
use crate::{BuildContainer, BuildOutcome, Credentials, ImageFacts, Images, Progress, SchedulerError};

/// Images that were made here, by name, and names of volumes.
#[derive(Default)]
pub(super) struct Shelf {
    images: BTreeMap<String, Made>,
    volumes: BTreeSet<String>,
}

#[derive(Clone)]
struct Made {
    facts: ImageFacts,
    labels: BTreeMap<String, String>,
}

impl Shelf {
    /// What `image` says of itself, if it was made here.
    pub(super) fn facts(&self, image: &str) -> Option<ImageFacts> {
        self.images.get(image).map(|made| made.facts.clone())
    }

    fn put(&mut self, image: &str, labels: BTreeMap<String, String>, environment: Environment) {
        let facts = ImageFacts {
            id: format!("sha256:{:064x}", self.images.len() + 1),
            ports: vec![5000],
            size_bytes: 1,
            environment,
            has_command: true,
        };
        self.images.insert(image.to_owned(), Made { facts, labels });
    }
}

#[async_trait]
impl Images for Memory {
    async fn inspect(&self, image: &str) -> Result<Option<ImageFacts>, SchedulerError> {
        Ok(self.shelf().facts(image))
    }

    async fn import(
        &self,
        image: &str,
        root: Box<dyn AsyncRead + Send + Unpin>,
        changes: &[String],
    ) -> Result<(), SchedulerError> {
        drain(root).await;
        refuse_failing(image, "import image")?;
        self.shelf().put(image, changed(changes, "LABEL"), Environment(changed(changes, "ENV")));
        Ok(())
    }

    async fn build(
        &self,
        image: &str,
        context: Box<dyn AsyncRead + Send + Unpin>,
        _arguments: &Environment,
        labels: &BTreeMap<String, String>,
        progress: Progress,
    ) -> Result<(), SchedulerError> {
        drain(context).await;
        let _ = progress.send("Step 1/1 : FROM memory".to_owned()).await;
        refuse_failing(image, "build image")?;
        self.shelf().put(image, labels.clone(), Environment::default());
        Ok(())
    }

    async fn build_in(
        &self,
        build: BuildContainer,
        progress: Progress,
    ) -> Result<BuildOutcome, SchedulerError> {
        drain(build.files).await;
        let _ = progress.send(build.command.join(" ")).await;
        self.shelf().volumes.extend(build.volumes.into_keys());
        let well = Behaviour::of(&build.target) != Behaviour::Fails;
        if well {
            let (labels, environment) = (changed(&build.changes, "LABEL"), changed(&build.changes, "ENV"));
            self.shelf().put(&build.target, labels, Environment(environment));
        }
        Ok(BuildOutcome { exit_code: if well { 0 } else { 1 }, out_of_memory: false })
    }

    async fn remove_builds(&self) -> Result<(), SchedulerError> {
        Ok(())
    }

    async fn push(
        &self,
        image: &str,
        _credentials: &Credentials,
        progress: Progress,
    ) -> Result<(), SchedulerError> {
        self.shelf().facts(image).ok_or_else(|| no_image(image))?;
        let _ = progress.send("Pushed".to_owned()).await;
        Ok(())
    }

    async fn tag(&self, image: &str, name: &str) -> Result<(), SchedulerError> {
        let mut shelf = self.shelf();
        let made = shelf.images.get(image).cloned().ok_or_else(|| no_image(image))?;
        shelf.images.insert(name.to_owned(), made);
        Ok(())
    }

    async fn remove_image(&self, image: &str) -> Result<(), SchedulerError> {
        self.shelf().images.remove(image);
        Ok(())
    }

    async fn list(&self, label: &str) -> Result<Vec<String>, SchedulerError> {
        let carries = |made: &Made| match label.split_once('=') {
            Some((key, value)) => made.labels.get(key).is_some_and(|found| found == value),
            None => made.labels.contains_key(label),
        };
        let shelf = self.shelf();
        let found = shelf.images.iter().filter(|(_, made)| carries(made));
        Ok(found.map(|(name, _)| name.clone()).collect())
    }

    async fn volumes(&self) -> Result<Vec<String>, SchedulerError> {
        Ok(self.shelf().volumes.iter().cloned().collect())
    }

    async fn remove_volume(&self, name: &str) -> Result<(), SchedulerError> {
        self.shelf().volumes.remove(name);
        Ok(())
    }
}

fn refuse_failing(image: &str, action: &'static str) -> Result<(), SchedulerError> {
    match Behaviour::of(image) {
        Behaviour::Fails => Err(SchedulerError::Engine {
            action,
            subject: image.to_owned(),
            reason: "its name says that it fails".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// `KEY=value` of the instructions of one kind among `changes`.
fn changed(changes: &[String], instruction: &str) -> BTreeMap<String, String> {
    let arguments =
        changes.iter().filter_map(|change| change.strip_prefix(instruction)?.trim().split_once('='));
    arguments.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}

async fn drain(mut source: Box<dyn AsyncRead + Send + Unpin>) {
    // A source that breaks off is as good as one that ends: nothing is kept of it.
    let _ = tokio::io::copy(&mut source, &mut tokio::io::sink()).await;
}
