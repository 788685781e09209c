//! Routes as the controller gave them: what the table is built from and what is kept on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use deis_api::internal::{PlatformRoutes, RoutesResponse};
use deis_model::{AppId, AppRoute};

/// Everything the controller has said that is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Routes {
    /// The incarnation of the controller's table; empty before the first answer.
    pub(crate) epoch: String,
    /// How new they are; counts within an epoch only.
    pub(crate) generation: u64,
    /// By app.
    pub(crate) apps: BTreeMap<AppId, AppRoute>,
    /// The platform's own.
    pub(crate) platform: PlatformRoutes,
}

/// A change that does not follow on what is held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("changes of table {offered:?} do not apply to table {held:?}")]
pub(crate) struct ForeignChange {
    held: String,
    offered: String,
}

impl Routes {
    /// Takes over what `response` says; whether anything is new.
    pub(crate) fn apply(&mut self, response: RoutesResponse) -> Result<bool, ForeignChange> {
        if !response.full && response.epoch != self.epoch {
            return Err(ForeignChange { held: self.epoch.clone(), offered: response.epoch });
        }
        let is_news = response.full || response.generation != self.generation;
        if response.full {
            self.apps.clear();
        }
        for app in &response.removed {
            self.apps.remove(app);
        }
        self.apps.extend(response.routes.into_iter().map(|route| (route.app.clone(), route)));
        let is_news = is_news || self.platform != response.platform;
        self.platform = response.platform;
        self.epoch = response.epoch;
        self.generation = response.generation;
        Ok(is_news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(epoch: &str, generation: u64, full: bool, apps: &[&str], removed: &[&str]) -> RoutesResponse {
        let route = |app: &&str| AppRoute {
            app: AppId::parse(app).unwrap(),
            hosts: vec![format!("{app}.example.com")],
            release: None,
            endpoints: vec![],
        };
        RoutesResponse {
            epoch: epoch.to_owned(),
            generation,
            full,
            routes: apps.iter().map(route).collect(),
            removed: removed.iter().map(|app| AppId::parse(app).unwrap()).collect(),
            platform: PlatformRoutes::default(),
        }
    }

    fn check(steps: Vec<RoutesResponse>, expected: &[&str]) {
        let mut routes = Routes::default();
        for step in steps {
            routes.apply(step).unwrap();
        }
        assert_eq!(routes.apps.keys().map(AppId::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn changes_are_laid_over_what_is_held() {
        check(vec![response("a", 1, true, &["x", "y"], &[])], &["x", "y"]);
        check(vec![response("a", 1, true, &["x"], &[]), response("a", 2, false, &["z"], &["x"])], &["z"]);
        check(vec![response("a", 9, true, &["x"], &[]), response("b", 1, true, &["y"], &[])], &["y"]);
    }

    #[test]
    fn changes_to_another_table_are_refused() {
        let mut routes = Routes::default();
        routes.apply(response("a", 9, true, &["x"], &[])).unwrap();
        assert!(routes.apply(response("b", 10, false, &[], &["x"])).is_err());
        assert_eq!((routes.apps.len(), routes.generation), (1, 9));
    }

    #[test]
    fn an_answer_without_news_is_known_as_such() {
        let mut routes = Routes::default();
        assert!(routes.apply(response("a", 1, true, &["x"], &[])).unwrap());
        assert!(!routes.apply(response("a", 1, false, &[], &[])).unwrap());
        assert!(routes.apply(response("a", 2, false, &[], &[])).unwrap());
    }
}
