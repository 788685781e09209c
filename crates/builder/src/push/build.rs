//! From a pushed commit to an image: allowed by the controller, made by the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use deis_api::v1::hooks::{PushHook, PushHookResponse};
use deis_model::Procfile;

use crate::dockerfile::DockerfileBuild;
use crate::error::PushError;
use crate::launch::Build;
use crate::output::Output;
use crate::slug::SlugBuild;
use crate::source::Source;
use crate::user::{read_config, refusal};

use super::Push;

/// Files in the root of the source that decide how it is built.
const DECIDING: [&str; 4] = ["Dockerfile", "Procfile", ".dockerignore", ".gitmodules"];
/// How long the controller may take to allow a push.
const ANSWER: Duration = Duration::from_secs(15);
/// How long the registry may take to accept a connection.
const REGISTRY_ANSWER: Duration = Duration::from_secs(3);

impl Push {
    pub(super) async fn build(&self, source: &Source, output: &Output) -> Result<Build, PushError> {
        let files = source.read(&DECIDING).await?;
        let declared = files.get("Procfile").map(|text| Procfile::parse(text)).transpose()?;
        let (tag, config) = tokio::try_join!(self.authorize(&source.sha), self.config())?;
        self.check_registry().await?;
        if files.contains_key(".gitmodules") {
            output.detail("Submodules are not part of a push; their folders are empty").await;
        }
        let image = self.platform.settings.image(&self.app, &tag);
        self.kept().remember(&image).map_err(PushError::io("note the image"))?;
        let found = match files.get("Dockerfile") {
            Some(dockerfile) => {
                let ignore = files.get(".dockerignore").map(String::as_str).unwrap_or_default();
                let build = DockerfileBuild { app: &self.app, source, dockerfile, ignore, image: &image };
                build.run(&*self.platform.images, output).await?;
                Procfile::default()
            }
            None => self.compile(source, &config, &image, output).await?,
        };
        let procfile = declared.unwrap_or(found);
        Ok(Build { image, sha: source.sha.clone(), procfile, dockerfile: files.contains_key("Dockerfile") })
    }

    async fn compile(
        &self,
        source: &Source,
        config: &BTreeMap<String, String>,
        image: &str,
        output: &Output,
    ) -> Result<Procfile, PushError> {
        let settings = &*self.platform.settings;
        let stack = self.platform.images.inspect(&settings.stack_image).await.map_err(PushError::engine)?;
        if stack.is_none() {
            return Err(PushError::NoStack(settings.stack_image.clone()));
        }
        let build = SlugBuild { settings, app: &self.app, uuid: &self.uuid, source, config, image };
        build.run(&*self.platform.images, output).await
    }

    /// Has the controller allow and record the push; returns the tag for the image.
    async fn authorize(&self, sha: &str) -> Result<String, PushError> {
        let body = PushHook {
            receive_user: self.user.name.clone(),
            receive_repo: self.app.to_string(),
            sha: sha.to_owned(),
            fingerprint: self.user.fingerprint.clone(),
            ssh_connection: self.connection.clone(),
            ssh_original_command: self.command.clone(),
        };
        let answer = self.platform.controller.post("/v1/hooks/push", &body, ANSWER).await;
        let answer = answer.map(|answer: PushHookResponse| answer.tag);
        answer.map_err(|error| refusal(error, "take the push", &self.user, &self.app))
    }

    async fn config(&self) -> Result<BTreeMap<String, String>, PushError> {
        let (uuid, config) = read_config(&self.platform.controller, &self.user, &self.app).await?;
        match uuid == self.uuid {
            true => Ok(config),
            false => Err(PushError::Reborn(self.app.clone())),
        }
    }

    /// A registry that is away is better known before a long build than after it.
    async fn check_registry(&self) -> Result<(), PushError> {
        let registry = &self.platform.settings.registry;
        let away = |reason: String| PushError::RegistryAway { registry: registry.clone(), reason };
        let connect = tokio::net::TcpStream::connect(registry.as_str());
        match tokio::time::timeout(REGISTRY_ANSWER, connect).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(away(error.to_string())),
            Err(_) => Err(away(format!("no answer in {} s", REGISTRY_ANSWER.as_secs()))),
        }
    }
}
