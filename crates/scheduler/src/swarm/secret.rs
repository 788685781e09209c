//! Files of roles and what jobs read: secrets of the Swarm, named by what they hold, so that the same file is kept once.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bollard::models::{Secret, SecretSpec, TaskSpecContainerSpecFile, TaskSpecContainerSpecSecrets};
use bollard::query_parameters::ListSecretsOptionsBuilder;
use sha2::{Digest, Sha256};

use deis_model::Workload;

use super::Swarm;
use super::failure::refused;
use super::service::Owned;
use crate::SchedulerError;
use crate::docker::{nanoseconds, now, status};
use crate::labels;

/// Readable by the container's root alone.
const ROOT_ONLY: u32 = 0o400;

/// How old a secret without a service is at least when it is removed: one that was just made may be about to get its own.
const STRAY_AFTER: Duration = Duration::from_secs(600);

/// Hexadecimal digits of the checksum in a name; Docker Swarm takes names of 64 characters.
const DIGITS: usize = 40;

/// A secret as the manager lists it.
struct Kept {
    name: String,
    id: String,
    /// Unix time in nanoseconds.
    made_at: i64,
}

fn age(secret: &Kept) -> Duration {
    now().saturating_sub(Duration::from_nanos(u64::try_from(secret.made_at).unwrap_or(0)))
}

impl Swarm {
    /// Makes the workload's files available to services, and answers how a service refers to them.
    pub(super) async fn secrets(
        &self,
        workload: &Workload,
    ) -> Result<Vec<TaskSpecContainerSpecSecrets>, SchedulerError> {
        let files = workload.host.as_ref().map_or(&[][..], |access| &access.files);
        let mut references = Vec::with_capacity(files.len());
        for file in files {
            let contents = file.contents.as_bytes();
            let name = secret_name(&[self.platform().as_bytes(), contents]);
            references.push(self.keep(&name, &file.path, contents, ROOT_ONLY).await?);
        }
        Ok(references)
    }

    /// Makes the secret `name` unless there is one, and answers how a service refers to it as the file at `path`.
    pub(super) async fn keep(
        &self,
        name: &str,
        path: &str,
        contents: &[u8],
        mode: u32,
    ) -> Result<TaskSpecContainerSpecSecrets, SchedulerError> {
        let id = match self.find_secret(name).await? {
            Some(id) => id,
            None => self.create_secret(name, path, contents).await?,
        };
        Ok(reference(path, name, id, mode))
    }

    async fn create_secret(&self, name: &str, path: &str, contents: &[u8]) -> Result<String, SchedulerError> {
        let spec = SecretSpec {
            name: Some(name.to_owned()),
            labels: Some(HashMap::from([(labels::PLATFORM.to_owned(), self.platform().to_owned())])),
            data: Some(BASE64.encode(contents)),
            ..Default::default()
        };
        match self.client().create_secret(spec).await {
            Ok(created) => Ok(created.id),
            Err(error) => match self.find_secret(name).await? {
                Some(id) => Ok(id),
                None => Err(self.failed("keep file", path, &error)),
            },
        }
    }

    async fn find_secret(&self, name: &str) -> Result<Option<String>, SchedulerError> {
        let found = self.list_secrets().await?;
        Ok(found.into_iter().find(|kept| kept.name == name).map(|kept| kept.id))
    }

    /// This platform's secrets.
    async fn list_secrets(&self) -> Result<Vec<Kept>, SchedulerError> {
        let filters = labels::filters(self.platform(), &[]);
        let options = ListSecretsOptionsBuilder::new().filters(&filters).build();
        let listed = self.client().list_secrets(Some(options)).await;
        let listed = listed.map_err(|error| self.failed("list", "secrets", &error))?;
        let read = |secret: Secret| {
            let made_at = secret.created_at.map_or(0, |time| nanoseconds(&time));
            Some(Kept { name: secret.spec?.name?, id: secret.id?, made_at })
        };
        Ok(listed.into_iter().filter_map(read).collect())
    }

    /// Removes those of `released` that no service uses any more.
    pub(super) async fn discard_secrets(&self, released: &BTreeSet<String>) -> Result<(), SchedulerError> {
        for id in released {
            match self.client().delete_secret(id).await {
                Ok(()) => {}
                // Gone already, or in use by another service.
                Err(error) if matches!(status(&error), Some(400 | 404 | 409)) => {}
                Err(error) => return Err(self.failed("remove secret", id, &error)),
            }
        }
        Ok(())
    }

    /// Removes the secrets of this platform that no service uses: whoever made them was stopped before it made that.
    pub(super) async fn discard_stray_secrets(&self) -> Result<(), SchedulerError> {
        let mut kept = self.list_secrets().await?;
        kept.retain(|secret| age(secret) > STRAY_AFTER);
        if kept.is_empty() {
            return Ok(());
        }
        let services = self.services(&[]).await?;
        let used: BTreeSet<String> = services.iter().flat_map(used_by).collect();
        let ids = kept.into_iter().map(|secret| secret.id).filter(|id| !used.contains(id));
        self.discard_secrets(&ids.collect()).await
    }
}

/// Ids of the secrets that a service uses.
pub(super) fn used_by(service: &Owned) -> Vec<String> {
    let container = service.spec.task_template.as_ref().and_then(|task| task.container_spec.as_ref());
    let secrets = container.and_then(|container| container.secrets.as_deref()).unwrap_or_default();
    secrets.iter().filter_map(|secret| secret.secret_id.clone()).collect()
}

/// A name for what `parts` tell, and for nothing else.
pub(super) fn secret_name(parts: &[&[u8]]) -> String {
    let sum = hex::encode(Sha256::digest(parts.join(&0)));
    format!("deis-{}", &sum[..DIGITS])
}

fn reference(path: &str, name: &str, id: String, mode: u32) -> TaskSpecContainerSpecSecrets {
    let file = TaskSpecContainerSpecFile {
        name: Some(path.to_owned()),
        uid: Some("0".to_owned()),
        gid: Some("0".to_owned()),
        mode: Some(mode),
    };
    TaskSpecContainerSpecSecrets { file: Some(file), secret_id: Some(id), secret_name: Some(name.to_owned()) }
}

/// Refuses files that no secret can hold.
pub(super) fn check_files(workload: &Workload) -> Result<(), SchedulerError> {
    let files = workload.host.as_ref().map_or(&[][..], |access| &access.files);
    let limit = crate::cluster::DOCUMENT_LIMIT;
    match files.iter().find(|file| file.contents.is_empty() || file.contents.len() > limit) {
        None => Ok(()),
        Some(file) => {
            let reason = format!("it has {} bytes; 1 to {limit} are possible", file.contents.len());
            Err(refused("keep file", &file.path, reason))
        }
    }
}
