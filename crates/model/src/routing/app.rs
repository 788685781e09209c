//! Settings of one app: what `deis routing:set` sets.

use std::collections::BTreeMap;

use super::credential::Credential;
use super::error::SettingError;
use super::mesh::sorted;
use super::rules::Rules;
use super::setting::{Scope, Setting};

/// The setting whose value holds passwords.
const PASSWORDS: &str = "basicAuth";

/// An app's settings, each of which can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppSettings {
    set: BTreeMap<String, String>,
    /// Whether one was left out that keeps visitors out.
    is_unguarded: bool,
}

impl AppSettings {
    /// Refuses all that is not right. For whoever stores settings.
    pub fn parse(settings: &BTreeMap<String, String>) -> Result<Self, SettingError> {
        let (settings, mut errors) = Self::read(settings);
        if errors.is_empty() { Ok(settings) } else { Err(errors.remove(0)) }
    }

    /// Leaves out what is not right, and says what that is; without one that keeps visitors out, nobody may come in. For
    /// routers, which may meet settings of a newer controller.
    pub fn read(settings: &BTreeMap<String, String>) -> (Self, Vec<SettingError>) {
        let mut errors = Vec::new();
        let mut scratch = Rules::default();
        let mut taken = Self::default();
        for (setting, key, value) in sorted(settings, &mut errors) {
            let set = match setting.scope {
                Scope::Mesh => Err(SettingError::MeshOnly { key: key.to_owned() }),
                _ => {
                    setting.set_rules(&mut scratch, key, value).map_err(|must| SettingError::value(key, must))
                }
            };
            match set {
                Ok(()) => _ = taken.set.insert(key.to_owned(), value.to_owned()),
                Err(error) => {
                    taken.is_unguarded |= setting.is_guard();
                    errors.push(error);
                }
            }
        }
        (taken, errors)
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && !self.is_unguarded
    }

    /// Sets `rules` accordingly.
    pub(super) fn apply(&self, rules: &mut Rules) {
        rules.allowance.is_closed |= self.is_unguarded;
        for (setting, key, value) in sorted(&self.set, &mut Vec::new()) {
            // It was set once already when it was read.
            let _ = setting.set_rules(rules, key, value);
        }
    }
}

/// The value to store for `key`: passwords in it are replaced by hashes. `salt` gives 16 random bytes each time.
///
/// For settings of mesh and apps, before they are checked and stored.
pub fn seal(key: &str, value: &str, mut salt: impl FnMut() -> [u8; 16]) -> Result<String, SettingError> {
    match key {
        PASSWORDS => Credential::seal(value, &mut salt).map_err(|must| SettingError::value(key, must)),
        _ => Ok(value.to_owned()),
    }
}

/// The value to show for `key`: of one that is for nobody's eyes, none.
pub fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    match Setting::find(key) {
        Some(setting) if setting.is_secret => "(hidden)",
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Affinity, MeshSettings};

    fn map(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_apps_value_beats_the_meshs() {
        let mesh = [("bodySize", "2m"), ("maintenance/page", "<p>soon"), ("header/response/X-A", "mesh")];
        let mesh = MeshSettings::parse(&map(&mesh)).unwrap();
        let app = [("bodySize", "5m"), ("maintenance", "on"), ("header/response/x-a", "")];
        let rules = mesh.rules(&AppSettings::parse(&map(&app)).unwrap());
        assert_eq!(rules.body_bytes, Some(5 << 20));
        assert_eq!((rules.maintenance.is_on, rules.maintenance.page.as_deref()), (true, Some("<p>soon")));
        assert_eq!(rules.headers.response.len(), 1);
        assert_eq!(rules.headers.response[0].value, None);
    }

    #[test]
    fn apps_without_settings_share_what_holds() {
        let mesh = MeshSettings::default();
        let rules = mesh.rules(&AppSettings::default());
        assert!(std::sync::Arc::ptr_eq(&rules, &mesh.apps));
    }

    #[test]
    fn a_setting_of_the_mesh_is_none_of_an_app() {
        let error = AppSettings::parse(&map(&[("proxyProtocol", "on")])).unwrap_err();
        assert!(error.to_string().contains("`deisctl config router set`"), "{error}");
    }

    #[test]
    fn a_router_leaves_out_what_it_cannot_use() {
        let (settings, errors) =
            AppSettings::read(&map(&[("maintenance", "on"), ("queue", "many"), ("x", "1")]));
        assert_eq!(settings, AppSettings::parse(&map(&[("maintenance", "on")])).unwrap());
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn nobody_comes_in_where_a_router_cannot_read_what_keeps_visitors_out() {
        let client = "10.9.9.9".parse().unwrap();
        let check = |mesh: &[(&str, &str)], app: &[(&str, &str)], expected: bool| {
            let mesh = MeshSettings::default().with(&map(mesh)).0;
            let rules = mesh.rules(&AppSettings::read(&map(app)).0);
            assert_eq!(rules.allowance.permits(client), expected, "{mesh:?} {app:?}");
        };
        check(&[], &[("queue", "many")], true);
        check(&[], &[("whitelist", "10.9.9.9,@office")], false);
        for guard in ["basicAuth", "enforceWhitelist", "maintenance", "routable"] {
            check(&[], &[(guard, "@office")], false);
            check(&[], &[(guard, "@office"), ("whitelist", "10.9.9.9")], false);
        }
        for guard in ["basicAuth", "defaultWhitelist", "enforceWhitelist", "maintenance"] {
            check(&[(guard, "@office")], &[("whitelist", "10.9.9.9")], false);
        }
    }

    #[test]
    fn passwords_are_neither_stored_nor_shown() {
        let stored = seal("basicAuth", "alice:secret", || [7; 16]).unwrap();
        assert!(!stored.contains("secret"));
        assert!(AppSettings::parse(&map(&[("basicAuth", &stored)])).is_ok());
        assert!(AppSettings::parse(&map(&[("basicAuth", "alice:secret")])).is_err());
        assert_eq!(shown("basicAuth", &stored), "(hidden)");
        assert_eq!(shown("bodySize", "1m"), "1m");
    }

    #[test]
    fn what_is_not_set_leaves_the_other_affinity_alone_and_both_are_too_many() {
        let check = |mesh: &[(&str, &str)], app: &[(&str, &str)], expected: Option<Affinity>| {
            let mesh = MeshSettings::parse(&map(mesh)).unwrap();
            assert_eq!(mesh.rules(&AppSettings::parse(&map(app)).unwrap()).affinity, expected, "{app:?}");
        };
        let (argument, cookie) = (Affinity::Argument("id".to_owned()), Affinity::Cookie("at".to_owned()));
        check(&[], &[("affinityArg", "id"), ("affinityCookie", "")], Some(argument.clone()));
        check(&[], &[("affinityArg", ""), ("affinityCookie", "at")], Some(cookie.clone()));
        check(&[("affinityArg", "id")], &[("affinityCookie", "at")], Some(cookie.clone()));
        check(&[("affinityCookie", "at")], &[("affinityArg", "")], Some(cookie.clone()));
        check(&[("affinityCookie", "at")], &[("affinityCookie", "")], None);
        let both = map(&[("affinityArg", "id"), ("affinityCookie", "at")]);
        let error = AppSettings::parse(&both).unwrap_err();
        assert!(error.to_string().contains("unset one"), "{error}");
        let mut rules = Rules::default();
        AppSettings::read(&both).0.apply(&mut rules);
        assert_eq!(rules.affinity, Some(cookie), "routers go on as before");
    }

    #[test]
    fn headers_have_a_limit() {
        let many = (0..65).map(|number| (format!("header/request/x-{number}"), "1".to_owned())).collect();
        assert!(matches!(AppSettings::parse(&many), Err(SettingError::TooMany { .. })));
    }
}
