//! Telling about, importing, pushing, naming, listing and removing images, and removing what builds leave.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bollard::models::ProgressDetail;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptions,
    TagImageOptionsBuilder,
};
use futures::StreamExt;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use deis_model::Environment;

use super::Docker;
use super::failure::{present, status};
use super::pull::engine_credentials;
use super::reference::Reference;
use crate::{BuildContainer, BuildOutcome, Credentials, ImageFacts, Images, Progress, SchedulerError};

#[async_trait]
impl Images for Docker {
    async fn inspect(&self, image: &str) -> Result<Option<ImageFacts>, SchedulerError> {
        self.image_facts(image).await
    }

    async fn import(
        &self,
        image: &str,
        root: Box<dyn AsyncRead + Send + Unpin>,
        changes: &[String],
    ) -> Result<(), SchedulerError> {
        let Reference { repository, tag } = Reference::split(image);
        let options = CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag);
        let options = options.changes(changes.to_vec()).build();
        let root = bollard::body_try_stream(ReaderStream::new(root));
        let mut steps = std::pin::pin!(self.client.create_image(Some(options), Some(root), None));
        while let Some(step) = steps.next().await {
            step.map_err(|error| self.failed("import image", image, &error))?;
        }
        Ok(())
    }

    async fn build(
        &self,
        image: &str,
        context: Box<dyn AsyncRead + Send + Unpin>,
        arguments: &Environment,
        labels: &BTreeMap<String, String>,
        progress: Progress,
    ) -> Result<(), SchedulerError> {
        self.build_image(image, context, arguments, labels, progress).await
    }

    async fn build_in(
        &self,
        build: BuildContainer,
        progress: Progress,
    ) -> Result<BuildOutcome, SchedulerError> {
        self.build_in_container(build, progress).await
    }

    async fn remove_builds(&self) -> Result<(), SchedulerError> {
        for id in self.builds().await? {
            self.discard(&id).await?;
        }
        Ok(())
    }

    async fn push(
        &self,
        image: &str,
        credentials: &Credentials,
        progress: Progress,
    ) -> Result<(), SchedulerError> {
        let Reference { repository, tag } = Reference::split(image);
        let options = PushImageOptionsBuilder::new().tag(tag).build();
        let credentials = engine_credentials(credentials);
        let mut steps = std::pin::pin!(self.client.push_image(repository, Some(options), Some(credentials)));
        while let Some(step) = steps.next().await {
            let step = step.map_err(|error| self.failed("push image", image, &error))?;
            // Bars that move are for terminals; what remains are the steps.
            if let Some(line) = step.status.filter(|_| is_step(step.progress_detail.as_ref())) {
                let _ = progress.send(line).await;
            }
        }
        Ok(())
    }

    async fn tag(&self, image: &str, name: &str) -> Result<(), SchedulerError> {
        let Reference { repository, tag } = Reference::split(name);
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        match present(self.client.tag_image(image, Some(options)).await) {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(SchedulerError::NoImage {
                image: image.to_owned(),
                reason: "the engine does not have it".to_owned(),
            }),
            Err(error) => Err(self.failed("tag image", image, &error)),
        }
    }

    async fn remove_image(&self, image: &str) -> Result<(), SchedulerError> {
        match self.client.remove_image(image, None::<RemoveImageOptions>, None).await {
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            removed => removed.map(drop).map_err(|error| self.failed("remove image", image, &error)),
        }
    }

    async fn list(&self, label: &str) -> Result<Vec<String>, SchedulerError> {
        let filters = [("label".to_owned(), vec![label.to_owned()])].into();
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let images = self.client.list_images(Some(options)).await;
        let images = images.map_err(|error| self.failed("list", "images", &error))?;
        let names = images.into_iter().flat_map(|image| image.repo_tags);
        let mut names: Vec<_> = names.filter(|name| !name.contains("<none>")).collect();
        names.sort();
        Ok(names)
    }

    async fn volumes(&self) -> Result<Vec<String>, SchedulerError> {
        self.build_volumes().await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), SchedulerError> {
        self.remove_build_volume(name).await
    }
}

fn is_step(detail: Option<&ProgressDetail>) -> bool {
    detail.is_none_or(|detail| detail.current.is_none() && detail.total.is_none())
}
