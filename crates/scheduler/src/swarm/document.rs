//! Documents: configs of the Swarm, which cannot be changed. Each version is one of its own, and making it is what
//! somebody else can be too late for.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bollard::models::{Config, ConfigSpec};
use bollard::query_parameters::ListConfigsOptionsBuilder;

use super::Swarm;
use crate::SchedulerError;
use crate::cluster::check_document;
use crate::docker::{present, status};

/// On every config that holds a version: the document's name.
const LABEL: &str = "io.deis.document";

/// One version of a document.
struct Version {
    number: u64,
    id: String,
    contents: Vec<u8>,
}

impl Swarm {
    pub(super) async fn read_document(&self, name: &str) -> Result<Option<Vec<u8>>, SchedulerError> {
        Ok(self.versions(name).await?.pop().map(|version| version.contents))
    }

    pub(super) async fn write_document(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        contents: &[u8],
    ) -> Result<(), SchedulerError> {
        check_document(name, contents)?;
        let older = self.versions(name).await?;
        let present = older.last();
        if present.map(|version| version.contents.as_slice()) != expected {
            return Err(conflict(name));
        }
        let number = present.map_or(1, |version| version.number + 1);
        let id = self.create_version(name, number, contents).await?;
        // Who was so slow that the next versions came and this one went again made one that nobody will read.
        if self.versions(name).await?.last().is_some_and(|latest| latest.number > number) {
            self.delete_version(&id).await?;
            return Err(conflict(name));
        }
        for version in older {
            self.delete_version(&version.id).await?;
        }
        Ok(())
    }

    /// The versions that there are, the latest last.
    async fn versions(&self, name: &str) -> Result<Vec<Version>, SchedulerError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}={name}")])]);
        let options = ListConfigsOptionsBuilder::new().filters(&filters).build();
        let listed = self.client().list_configs(Some(options)).await;
        let listed = listed.map_err(|error| self.failed("read document", name, &error))?;
        let mut versions: Vec<_> = listed.into_iter().filter_map(|config| version(name, config)).collect();
        versions.sort_by_key(|version| version.number);
        Ok(versions)
    }

    async fn create_version(
        &self,
        name: &str,
        number: u64,
        contents: &[u8],
    ) -> Result<String, SchedulerError> {
        let spec = ConfigSpec {
            name: Some(config_name(name, number)),
            labels: Some(HashMap::from([(LABEL.to_owned(), name.to_owned())])),
            data: Some(BASE64.encode(contents)),
            ..Default::default()
        };
        match self.client().create_config(spec).await {
            Ok(created) => Ok(created.id),
            Err(error) if status(&error) == Some(409) => Err(conflict(name)),
            Err(error) => Err(self.failed("write document", name, &error)),
        }
    }

    async fn delete_version(&self, id: &str) -> Result<(), SchedulerError> {
        let deleted = present(self.client().delete_config(id).await);
        deleted.map(drop).map_err(|error| self.failed("remove old version", id, &error))
    }
}

/// Reads the manager's entry; none if it is not a version of the document `name`.
fn version(name: &str, config: Config) -> Option<Version> {
    let spec = config.spec?;
    let number = spec.name.as_ref()?.rsplit('.').next()?.parse().ok()?;
    let ours = spec.name.as_deref() == Some(&config_name(name, number));
    let contents = BASE64.decode(spec.data?).ok()?;
    ours.then_some(Version { number, id: config.id?, contents })
}

fn config_name(name: &str, number: u64) -> String {
    format!("deis.{name}.{number}")
}

fn conflict(name: &str) -> SchedulerError {
    SchedulerError::Conflict { subject: format!("document {name}") }
}
