//! Settings of the router mesh, checked before anybody keeps them: by the controller, and by `deisctl` in a cluster.

use std::collections::BTreeMap;

use deis_model::routing::{MeshSettings, SettingError};
use time::OffsetDateTime;

use crate::key_pair;

/// The platform's certificate and its key.
const CERTIFICATE: &str = "sslCert";
const KEY: &str = "sslKey";

/// Why a setting cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct MeshSettingsError {
    /// Which one.
    pub key: String,
    /// What is wrong with it, and what to do instead. Without its value, which may be a secret.
    pub reason: String,
}

/// Checks what `settings` would be with `changes`, as of `now`. Keys → values; without a value a key is taken away.
///
/// Only what changes can be refused: what an older version took without looking stands in nobody's way.
pub fn check(
    settings: &BTreeMap<String, String>,
    changes: &BTreeMap<String, Option<String>>,
    now: OffsetDateTime,
) -> Result<(), MeshSettingsError> {
    let mut settings = settings.clone();
    for (key, value) in changes {
        match value {
            Some(value) => drop(settings.insert(key.clone(), value.clone())),
            None => drop(settings.remove(key)),
        }
    }
    if changes.contains_key(CERTIFICATE) || changes.contains_key(KEY) {
        check_pair(settings.get(CERTIFICATE), settings.get(KEY), now)?;
    }
    let (_, errors) = MeshSettings::default().with(&settings);
    let is_changed = |error: &&SettingError| changes.contains_key(error.key());
    match errors.iter().find(is_changed) {
        Some(error) => Err(MeshSettingsError { key: error.key().to_owned(), reason: error.to_string() }),
        None => Ok(()),
    }
}

fn check_pair(
    certificate: Option<&String>,
    key: Option<&String>,
    now: OffsetDateTime,
) -> Result<(), MeshSettingsError> {
    let refused = |key: &str, why: String| {
        let reason = format!("the value of {key} cannot be used: {why}");
        Err(MeshSettingsError { key: key.to_owned(), reason })
    };
    match (certificate, key) {
        (None, None) => Ok(()),
        (Some(certificate), Some(key)) => match key_pair::check(certificate, key, now) {
            Err(error) if error.is_about_key() => refused(KEY, error.to_string()),
            Err(error) => refused(CERTIFICATE, error.to_string()),
            Ok(_) => Ok(()),
        },
        (Some(_), None) => refused(CERTIFICATE, format!("{KEY} belongs to it; set or remove both at once")),
        (None, Some(_)) => refused(KEY, format!("{CERTIFICATE} belongs to it; set or remove both at once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_changes(
        settings: &[(&str, &str)],
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), (String, String)> {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let changes = changes.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)));
        check(&settings.collect(), &changes.collect(), OffsetDateTime::now_utc())
            .map_err(|error| (error.key, error.reason))
    }

    #[test]
    fn a_value_that_means_nothing_is_refused() {
        let (key, reason) = check_changes(&[], &[("gzip", Some("off")), ("bodySize", Some("big"))])
            .expect_err("it is no size");
        assert_eq!((key.as_str(), reason.contains("a size in bytes")), ("bodySize", true), "{reason}");
    }

    #[test]
    fn what_was_kept_before_is_in_nobodys_way() {
        let before = [("nonsense", "1"), ("sslKey", "x")];
        assert_eq!(check_changes(&before, &[("gzip", Some("off"))]), Ok(()));
        assert_eq!(check_changes(&before, &[("nonsense", None)]), Ok(()));
        assert!(check_changes(&before, &[("nonsense", Some("2"))]).is_err());
    }

    #[test]
    fn a_certificate_and_its_key_come_and_go_together() {
        let pair = rcgen::generate_simple_self_signed(vec!["a.example.com".to_owned()]).expect("a pair");
        let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let both = [("sslCert", Some(chain.as_str())), ("sslKey", Some(key.as_str()))];
        assert_eq!(check_changes(&[], &both), Ok(()));
        let half = check_changes(&[], &both[..1]).expect_err("half a pair");
        assert_eq!(
            half.1,
            "the value of sslCert cannot be used: sslKey belongs to it; set or remove both at once"
        );
        let kept = [("sslCert", chain.as_str()), ("sslKey", key.as_str())];
        assert_eq!(check_changes(&kept, &both[1..]), Ok(()), "the same again");
        assert!(check_changes(&kept, &[("sslKey", None)]).is_err());
        assert_eq!(check_changes(&kept, &[("sslKey", None), ("sslCert", None)]), Ok(()));
        let other = rcgen::generate_simple_self_signed(vec!["b.example.com".to_owned()]).expect("a pair");
        let other = other.signing_key.serialize_pem();
        assert_eq!(check_changes(&kept, &[("sslKey", Some(&other))]).expect_err("another's").0, "sslKey");
    }
}
