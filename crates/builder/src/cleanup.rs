//! Removing what no app needs any more: repositories, caches and images.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use deis_api::internal::AppList;
use deis_model::AppId;
use deis_runtime::StatusBoard;
use deis_scheduler::SchedulerError;
use tracing::{info, warn};

use crate::app_uuid::AppUuid;
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
        // What is here before what exists: an app made in between is then not taken for one that is gone.
        let found = Found::list(&self.workshop).await;
        let existing = match self.workshop.platform.controller.apps().await {
            Ok(list) => Existing::of(list),
            Err(error) => {
                self.status.trouble("controller", error, "start the controller, or correct its URL");
                return false;
            }
        };
        self.status.well("controller");
        for name in &found.repositories {
            if let Err(error) = self.clean_repository(name, &existing).await {
                warn!(%name, %error, "failed to clean a repository");
            }
        }
        self.clean_caches(&found.caches, &existing).await;
        self.clean_copies(&found.copies, &existing).await;
        self.clean_images(found.images, &existing).await
    }

    async fn clean_repository(&self, name: &str, existing: &Existing) -> io::Result<()> {
        let repositories = &self.workshop.repositories;
        let Some((app, uuid)) = existing.with_uuid(name) else {
            info!(%name, "removing the repository of an app that is gone");
            return repositories.remove(name);
        };
        // A push under way makes its own order.
        let Some(lock) = repositories.lock(uuid)? else { return Ok(()) };
        if let Some(repository) = repositories.find(uuid) {
            repository.collect_garbage(&lock).await?;
            self.remove_old_images(app, &repository).await;
        }
        Ok(())
    }

    async fn clean_caches(&self, found: &[String], existing: &Existing) {
        for name in found.iter().filter(|name| existing.with_uuid(name).is_none()) {
            if let Err(error) = self.workshop.platform.images.remove_volume(name).await {
                warn!(%name, %error, "failed to remove the build cache of an app that is gone");
            }
        }
    }

    async fn clean_copies(&self, found: &BTreeSet<String>, existing: &Existing) {
        let Some(mirror) = &self.workshop.mirror else { return };
        for name in found {
            let cleaned = match existing.with_uuid(name) {
                Some((_, uuid)) => mirror.sweep(uuid).await,
                None => mirror.remove(name).await.map_err(Into::into),
            };
            if let Err(error) = cleaned {
                warn!(%name, error = %format!("{error:#}"), "failed to clean the copy of a repository");
            }
        }
    }

    async fn remove_old_images(&self, app: &AppId, repository: &Repository) {
        let platform = &self.workshop.platform;
        let kept = Kept::of(repository, platform.settings.limits.kept_images);
        if let Err(error) = kept.remove_others(app, &*platform.images).await {
            warn!(%app, %error, "failed to remove old images");
        }
    }

    async fn clean_images(&self, found: Result<Vec<String>, SchedulerError>, existing: &Existing) -> bool {
        let images = match found {
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
            let gone = app.and_then(|(app, _)| AppId::parse(app).ok()).is_some_and(|app| !existing.has(&app));
            if gone && let Err(error) = self.workshop.platform.images.remove_image(&image).await {
                warn!(%image, %error, "failed to remove an image of an app that is gone");
            }
        }
        true
    }
}

/// What there is to be cleaned.
struct Found {
    /// What repositories and locks are called after.
    repositories: BTreeSet<String>,
    /// Names of build caches, which are volumes on the engine.
    caches: Vec<String>,
    /// What copies of repositories in the store are called after.
    copies: BTreeSet<String>,
    /// Names of apps' images on the engine.
    images: Result<Vec<String>, SchedulerError>,
}

impl Found {
    /// Lists it; what cannot be listed is left for another time.
    async fn list(workshop: &Workshop) -> Self {
        let repositories = workshop.repositories.names().unwrap_or_else(|error| {
            warn!(%error, "failed to list repositories");
            BTreeSet::new()
        });
        let images = &workshop.platform.images;
        let caches = images.volumes().await.unwrap_or_else(|error| {
            warn!(%error, "failed to list build caches");
            Vec::new()
        });
        let copies = copies(workshop).await;
        Self { repositories, caches, copies, images: images.list(APP_LABEL).await }
    }
}

async fn copies(workshop: &Workshop) -> BTreeSet<String> {
    let Some(mirror) = &workshop.mirror else { return BTreeSet::new() };
    mirror.apps().await.unwrap_or_else(|error| {
        warn!(%error, "failed to list copies of repositories");
        BTreeSet::new()
    })
}

/// The apps that exist, by UUID.
struct Existing(BTreeMap<AppUuid, AppId>);

impl Existing {
    fn of(list: AppList) -> Self {
        let apps = list.apps.into_iter().filter_map(|app| Some((AppUuid::parse(&app.uuid)?, app.id)));
        Self(apps.collect())
    }

    fn with_uuid(&self, name: &str) -> Option<(&AppId, &AppUuid)> {
        self.0.get_key_value(&AppUuid::parse(name)?).map(|(uuid, app)| (app, uuid))
    }

    fn has(&self, app: &AppId) -> bool {
        self.0.values().any(|existing| existing == app)
    }
}
