//! Whom an app's config lets in, next to its routing settings.

use std::collections::BTreeMap;

use crate::Desired;
use crate::routing::AppSettings;

/// The config variable that lists who may reach an app, as the setting of that name does.
pub const VARIABLE: &str = "DEIS_WHITELIST";
const WHITELIST: &str = "whitelist";
/// Keeps everybody out who is on no list.
const ENFORCE_WHITELIST: &str = "enforceWhitelist";

/// Refuses a value of the variable that would let in nobody, or others than its author thinks. An empty list is none.
pub fn check(value: &str) -> Result<(), String> {
    let settings = [(WHITELIST.to_owned(), value.trim().to_owned())].into();
    let parsed = AppSettings::parse(&settings).map(drop);
    parsed.map_err(|error| error.to_string().replace(WHITELIST, VARIABLE))
}

/// The routing settings of an app; whom its config lets in counts, too.
pub(super) fn settings(desired: &Desired) -> BTreeMap<String, String> {
    let mut settings = desired.settings.clone();
    let release = desired.deployed.as_ref();
    let listed = release.and_then(|release| release.config.values.0.get(VARIABLE));
    let Some(listed) = listed.filter(|listed| !listed.trim().is_empty()) else { return settings };
    // Config of earlier versions was not checked. Whoever lists something wants others kept out, also where it says
    // nothing.
    let valid: Vec<&str> = listed.split(',').filter(|entry| is_whitelist(entry)).collect();
    if valid.is_empty() {
        settings.insert(ENFORCE_WHITELIST.to_owned(), "on".to_owned());
    }
    let own = settings.get(WHITELIST).map(String::as_str);
    let all: Vec<&str> = own.into_iter().chain(valid).collect();
    settings.insert(WHITELIST.to_owned(), all.join(","));
    settings
}

fn is_whitelist(text: &str) -> bool {
    !text.trim().is_empty() && check(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::route;
    use crate::intent::tests::desired;
    use crate::{Config, ReleaseContent};

    /// The whitelist that routers are told of an app with these, and whether it is enforced.
    fn whitelist(setting: Option<&str>, config: &str) -> (Option<String>, bool) {
        let mut values = Config::empty("u".to_owned(), "ann".to_owned(), time::OffsetDateTime::UNIX_EPOCH);
        values.values.0.insert(VARIABLE.to_owned(), config.to_owned());
        let version = crate::ReleaseVersion::FIRST;
        let settings = setting.map(|value| (WHITELIST.to_owned(), value.to_owned())).into_iter().collect();
        let release = ReleaseContent { version, build: None, config: values };
        let desired = Desired { settings, ..desired(Some(release)) };
        let settings = route(&desired, "example.com", Vec::new()).settings;
        AppSettings::parse(&settings).unwrap();
        (settings.get(WHITELIST).cloned(), settings.contains_key(ENFORCE_WHITELIST))
    }

    #[test]
    fn whom_the_config_lets_in_counts_beside_the_setting() {
        let check = |setting: Option<&str>, config: &str, expected: Option<&str>| {
            let expected = (expected.map(str::to_owned), false);
            assert_eq!(whitelist(setting, config), expected, "{setting:?} {config:?}");
        };
        check(None, "10.0.1.0/24:office,1.2.3.4", Some("10.0.1.0/24:office,1.2.3.4"));
        check(Some("1.1.1.1"), "1.2.3.4", Some("1.1.1.1,1.2.3.4"));
        check(Some("1.1.1.1"), " ", Some("1.1.1.1"));
        check(None, "", None);
        check(None, "office,1.2.3.4", Some("1.2.3.4"));
    }

    #[test]
    fn a_list_that_says_nothing_lets_nobody_in() {
        assert_eq!(whitelist(None, "office"), (Some(String::new()), true));
    }
}
