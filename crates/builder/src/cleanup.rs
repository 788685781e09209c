//! Removing what no app needs any more: repositories, caches and images.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use deis_model::AppId;
use deis_runtime::StatusBoard;
use tracing::{info, warn};

use crate::dockerfile::APP_LABEL;
use crate::kept::Kept;
use crate::repository::Repository;
use crate::session::Workshop;

/// How often.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How soon again when the controller or the engine is away.
const RETRY: Duration = Duration::from_secs(2);

/// The builder's clean-up.
pub(crate) struct Cleanup {
    workshop: Workshop,
    status: StatusBoard,
}

impl Cleanup {
    /// The clean-up of a builder.
    pub(crate) fn new(workshop: &Workshop, status: StatusBoard) -> Self {
        Self { workshop: workshop.clone(), status }
    }

    /// Cleans at once and every hour, for ever.
    pub(crate) async fn run(self) {
        loop {
            let pause = match self.clean().await {
                true => INTERVAL,
                false => RETRY,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Cleans once. Without the controller's list of apps nothing is touched.
    async fn clean(&self) -> bool {
        let existing = match self.workshop.platform.controller.apps().await {
            Ok(list) => list.apps.into_iter().collect::<BTreeSet<_>>(),
            Err(error) => {
                self.status.trouble("controller", error, "start the controller, or correct its URL");
                return false;
            }
        };
        self.status.well("controller");
        if let Err(error) = self.clean_directories(&existing).await {
            warn!(%error, "failed to remove repositories and caches of apps that are gone");
        }
        self.clean_images(&existing).await
    }

    async fn clean_directories(&self, existing: &BTreeSet<AppId>) -> io::Result<()> {
        for app in self.workshop.repositories.apps()? {
            if let Err(error) = self.clean_repository(&app, existing.contains(&app)).await {
                warn!(%app, %error, "failed to clean a repository");
            }
        }
        for entry in std::fs::read_dir(&self.workshop.platform.settings.cache)? {
            let entry = entry?;
            let app = AppId::parse(&entry.file_name().to_string_lossy());
            if app.is_ok_and(|app| !existing.contains(&app)) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    async fn clean_repository(&self, app: &AppId, exists: bool) -> io::Result<()> {
        let repositories = &self.workshop.repositories;
        // A push under way makes its own order.
        let Some(lock) = repositories.lock(app)? else { return Ok(()) };
        match repositories.find(app) {
            Some(repository) if exists => {
                repository.collect_garbage(&lock).await?;
                self.remove_old_images(app, &repository).await;
            }
            Some(_) => {
                info!(%app, "removing the repository of an app that is gone");
                repositories.remove(app, lock)?;
            }
            None => {}
        }
        Ok(())
    }

    async fn remove_old_images(&self, app: &AppId, repository: &Repository) {
        let platform = &self.workshop.platform;
        let kept = Kept::of(repository, platform.settings.limits.kept_images);
        if let Err(error) = kept.remove_others(app, &*platform.images).await {
            warn!(%app, %error, "failed to remove old images");
        }
    }

    async fn clean_images(&self, existing: &BTreeSet<AppId>) -> bool {
        let images = match self.workshop.platform.images.list(APP_LABEL).await {
            Ok(images) => images,
            Err(error) => {
                self.status.trouble("engine", error, "start the container engine");
                return false;
            }
        };
        self.status.well("engine");
        let prefix = format!("{}/", self.workshop.platform.settings.registry);
        for image in images {
            let app = image.strip_prefix(&prefix).and_then(|rest| rest.split_once(":git-"));
            let gone =
                app.and_then(|(app, _)| AppId::parse(app).ok()).is_some_and(|app| !existing.contains(&app));
            if gone && let Err(error) = self.workshop.platform.images.remove_image(&image).await {
                warn!(%image, %error, "failed to remove an image of an app that is gone");
            }
        }
        true
    }
}
