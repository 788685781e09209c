//! Images that no release needs any more are removed from the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deis_api::client::{CallError, InternalClient};
use deis_database::{Database, DatabaseError};
use deis_model::AppId;
use reqwest::Method;
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::lead::Gate;

/// How many of an app's newest releases can be rolled back to; older ones lose their image.
pub const KEPT_RELEASES: u32 = 50;
/// How often garbage is collected, and how long after the start first.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How long one collection may take.
const TIMEOUT: Duration = Duration::from_secs(600);
/// How many repositories are asked for at once.
const CATALOG_PAGE: usize = 10_000;

/// Tells the registry what is in use.
pub(crate) struct Garbage {
    /// Knows the releases.
    pub(crate) database: Database,
    /// Keeps the images.
    pub(crate) registry: InternalClient,
    /// The registry as images are named after it: `host:port`.
    pub(crate) host: String,
    /// Whether it is still this controller that collects.
    pub(crate) gate: Gate,
}

/// Why garbage was not collected.
#[derive(Debug, thiserror::Error)]
enum GarbageError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Registry(#[from] CallError),
    #[error("another controller leads by now")]
    Relieved,
}

impl Garbage {
    /// Collects every hour, for ever.
    pub(crate) async fn run(&self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.collect().await {
                Ok(report) => info!(%report, "removed images that no release needs"),
                Err(error) => {
                    warn!(%error, "failed to remove images that no release needs; trying again in an hour")
                }
            }
        }
    }

    async fn collect(&self) -> Result<Value, GarbageError> {
        // The catalog before the apps: an app made in between is then not taken for one that is gone.
        let catalog = self.catalog().await?;
        let apps = self.database.apps().await?.into_iter().collect();
        let images = self.database.images_in_use(KEPT_RELEASES).await?;
        let keep = keep(&self.host, &catalog, &apps, &images);
        // What was read before another one led may be old by now: images of newer releases would go.
        if !self.gate.is_open() {
            return Err(GarbageError::Relieved);
        }
        let request = self.registry.request(Method::POST, "/internal/garbage").timeout(TIMEOUT);
        Ok(self.registry.json(request.json(&json!({ "keep": keep }))).await?)
    }

    async fn catalog(&self) -> Result<Vec<String>, GarbageError> {
        let path = format!("/v2/_catalog?n={CATALOG_PAGE}");
        let answer: Value =
            self.registry.json(self.registry.request(Method::GET, &path).timeout(TIMEOUT)).await?;
        let names = answer["repositories"].as_array().into_iter().flatten();
        Ok(names.filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }
}

/// Repository → tags in use. Repositories of apps that are gone keep nothing; what is no app's is not named.
fn keep(
    host: &str,
    catalog: &[String],
    apps: &BTreeSet<AppId>,
    images: &[(AppId, String)],
) -> BTreeMap<String, Vec<String>> {
    let is_gone = |name: &&String| AppId::parse(name).is_ok_and(|app| !apps.contains(&app));
    let gone = catalog.iter().filter(is_gone).map(|name| (name.clone(), Vec::new()));
    let mut keep: BTreeMap<String, Vec<String>> = gone.collect();
    for (_, image) in images {
        let ours = image.strip_prefix(host).and_then(|rest| rest.strip_prefix('/'));
        if let Some((repository, tag)) = ours.and_then(|name| name.rsplit_once(':')) {
            keep.entry(repository.to_owned()).or_default().push(tag.to_owned());
        }
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_releases_stay_and_apps_that_are_gone_lose_everything() {
        let app = |name| AppId::parse(name).unwrap();
        let catalog = ["blog", "gone", "deis/stack", "shop"].map(str::to_owned);
        let images = [
            (app("blog"), "127.0.0.1:5000/blog:git-1".to_owned()),
            (app("blog"), "127.0.0.1:5000/blog:git-2".to_owned()),
            (app("shop"), "example/elsewhere:1".to_owned()),
        ];
        let found = keep("127.0.0.1:5000", &catalog, &[app("blog"), app("shop")].into(), &images);
        let expected = [("blog", vec!["git-1", "git-2"]), ("gone", vec![])];
        let expected =
            expected.map(|(name, tags)| (name.to_owned(), tags.into_iter().map(str::to_owned).collect()));
        assert_eq!(found, BTreeMap::from(expected));
    }
}
