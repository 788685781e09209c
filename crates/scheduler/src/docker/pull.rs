//! Making images available: from the engine, else from their registry.

use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;

use deis_model::Environment;

use super::Docker;
use super::failure::{present, words};
use super::reference::Reference;
use crate::{Credentials, ImageFacts, SchedulerError};

/// How long a whole image may take.
const PULL_TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// How long a registry may say nothing.
const SILENCE: Duration = Duration::from_secs(120);

impl Docker {
    pub(crate) async fn prepare_image(&self, image: &str) -> Result<ImageFacts, SchedulerError> {
        if let Some(facts) = self.image_facts(image).await? {
            return Ok(facts);
        }
        let pulled = tokio::time::timeout(PULL_TIMEOUT, self.pull(image)).await;
        pulled.unwrap_or_else(|_| Err(absent(image, &slow(PULL_TIMEOUT))))?;
        let facts = self.image_facts(image).await?;
        facts.ok_or_else(|| absent(image, "it vanished right after it was pulled"))
    }

    /// What the engine knows of `image`; none if it does not have it.
    pub(super) async fn image_facts(&self, image: &str) -> Result<Option<ImageFacts>, SchedulerError> {
        let inspected = present(self.client.inspect_image(image).await);
        let inspected = inspected.map_err(|error| self.failed("inspect image", image, &error))?;
        Ok(inspected.map(facts))
    }

    async fn pull(&self, image: &str) -> Result<(), SchedulerError> {
        let Reference { repository, tag } = Reference::split(image);
        // Without a tag the engine would fetch every one there is.
        let options = CreateImageOptionsBuilder::new().from_image(repository).tag(tag).build();
        let credentials = self.credentials(image).map(engine_credentials);
        let mut steps = std::pin::pin!(self.client.create_image(Some(options), None, credentials));
        loop {
            match tokio::time::timeout(SILENCE, steps.next()).await {
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(self.not_pulled(image, &error)),
                Ok(None) => return Ok(()),
                Err(_) => return Err(absent(image, &slow(SILENCE))),
            }
        }
    }

    fn not_pulled(&self, image: &str, error: &Error) -> SchedulerError {
        match words(error) {
            Some(reason) => absent(image, &reason),
            None => self.failed("pull image", image, error),
        }
    }
}

/// Credentials as the engine takes them.
pub(crate) fn engine_credentials(credentials: &Credentials) -> DockerCredentials {
    DockerCredentials {
        username: Some(credentials.username.clone()),
        password: Some(credentials.password.clone()),
        ..Default::default()
    }
}

fn facts(image: ImageInspect) -> ImageFacts {
    let config = image.config.unwrap_or_default();
    let words = [&config.cmd, &config.entrypoint];
    ImageFacts {
        id: image.id.unwrap_or_default(),
        ports: tcp_ports(config.exposed_ports.as_deref().unwrap_or_default()),
        size_bytes: image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        has_command: words.iter().any(|words| words.as_ref().is_some_and(|words| !words.is_empty())),
        environment: environment(config.env.as_deref().unwrap_or_default()),
    }
}

fn environment(variables: &[String]) -> Environment {
    let pairs = variables.iter().filter_map(|variable| variable.split_once('='));
    Environment(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// Ports from `5000/tcp`, `53/udp` and the like, lowest first.
fn tcp_ports(exposed: &[String]) -> Vec<u16> {
    let mut ports: Vec<u16> =
        exposed.iter().filter_map(|port| port.strip_suffix("/tcp").unwrap_or(port).parse().ok()).collect();
    ports.sort_unstable();
    ports
}

fn slow(limit: Duration) -> String {
    format!("its registry took longer than {} s", limit.as_secs())
}

fn absent(image: &str, reason: &str) -> SchedulerError {
    SchedulerError::NoImage { image: image.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tcp_ports_count_lowest_first() {
        let exposed = ["8080/tcp", "53/udp", "5000/tcp", "99999/tcp"].map(str::to_owned);
        assert_eq!(tcp_ports(&exposed), [5000, 8080]);
    }
}
