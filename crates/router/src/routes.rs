//! Routes as the controller gave them: what the table is built from and what is kept on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    /// By app; shared with copies.
    #[serde(with = "by_app")]
    pub(crate) apps: BTreeMap<AppId, Arc<AppRoute>>,
    /// The platform's own.
    pub(crate) platform: PlatformRoutes,
}

/// What a response brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing.
    Nothing,
    /// These only.
    Some(Changes),
    /// Anything may be another.
    All,
}

/// What is another in some routes than in those they follow on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Apps that are new, changed or gone, each once.
    pub(crate) apps: Vec<AppId>,
    /// Whether the platform's own changed.
    pub(crate) platform: bool,
}

/// A change that does not follow on what is held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("changes of table {offered:?} do not apply to table {held:?}")]
pub(crate) struct ForeignChange {
    held: String,
    offered: String,
}

impl Routes {
    /// Takes over what `response` says.
    pub(crate) fn apply(&mut self, response: RoutesResponse) -> Result<News, ForeignChange> {
        if !response.full && response.epoch != self.epoch {
            return Err(ForeignChange { held: self.epoch.clone(), offered: response.epoch });
        }
        let news = self.news(&response);
        if response.full {
            self.apps.clear();
        }
        for app in &response.removed {
            self.apps.remove(app);
        }
        let routes = response.routes.into_iter();
        self.apps.extend(routes.map(|route| (route.app.clone(), Arc::new(route))));
        self.platform = response.platform;
        self.epoch = response.epoch;
        self.generation = response.generation;
        Ok(news)
    }

    fn news(&self, response: &RoutesResponse) -> News {
        let platform = response.platform != self.platform;
        if response.full {
            return News::All;
        }
        if response.generation == self.generation && !platform {
            return News::Nothing;
        }
        let routed = response.routes.iter().map(|route| &route.app);
        let apps: BTreeSet<_> = routed.chain(&response.removed).cloned().collect();
        News::Some(Changes { apps: apps.into_iter().collect(), platform })
    }
}

/// Routes on disk, where nothing is shared.
mod by_app {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use deis_model::{AppId, AppRoute};

    pub(super) fn serialize<S: Serializer>(
        apps: &BTreeMap<AppId, Arc<AppRoute>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(apps.iter().map(|(app, route)| (app, route.as_ref())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<AppId, Arc<AppRoute>>, D::Error> {
        let apps = BTreeMap::<AppId, AppRoute>::deserialize(deserializer)?;
        Ok(apps.into_iter().map(|(app, route)| (app, Arc::new(route))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(epoch: &str, generation: u64, full: bool, apps: &[&str], removed: &[&str]) -> RoutesResponse {
        let route = |app: &&str| AppRoute {
            hosts: vec![format!("{app}.example.com")],
            ..AppRoute::new(AppId::parse(app).unwrap())
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
    fn it_is_known_how_much_an_answer_changed() {
        let mut routes = Routes::default();
        let some = |apps: &[&str], platform| {
            let apps = apps.iter().map(|app| AppId::parse(app).unwrap()).collect();
            News::Some(Changes { apps, platform })
        };
        assert_eq!(routes.apply(response("a", 1, true, &["x"], &[])).unwrap(), News::All);
        assert_eq!(routes.apply(response("a", 1, false, &[], &[])).unwrap(), News::Nothing);
        assert_eq!(routes.apply(response("a", 2, false, &[], &[])).unwrap(), some(&[], false));
        assert_eq!(routes.apply(response("a", 3, false, &["x"], &[])).unwrap(), some(&["x"], false));
        assert_eq!(routes.apply(response("a", 4, false, &["x"], &["y"])).unwrap(), some(&["x", "y"], false));
        let mut platform = response("a", 5, false, &[], &[]);
        platform.platform.settings.insert("gzip".to_owned(), "off".to_owned());
        assert_eq!(routes.apply(platform).unwrap(), some(&[], true));
    }
}
