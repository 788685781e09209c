//! Settings: one line each, `key=value`. Those who store them and those who go by them read the same, and nothing that
//! is taken over breaks a message.

use std::collections::BTreeMap;

use deis_model::routing::{AppSettings, HeaderRule, MeshSettings, seal};
use http::HeaderMap;

use crate::rules::Gate;

pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let settings: BTreeMap<String, String> = text
        .lines()
        .take(64)
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.replace("\\n", "\n")))
        .collect();
    let (mesh, errors) = MeshSettings::default().with(&settings);
    match MeshSettings::parse(&settings) {
        Ok(parsed) => assert!(errors.is_empty() && parsed == mesh),
        Err(error) => assert_eq!(Some(&error), errors.first()),
    }
    let (app, errors) = AppSettings::read(&settings);
    assert_eq!(AppSettings::parse(&settings).err().as_ref(), errors.first());
    let rules = mesh.rules(&app);
    for headers in [&rules.headers.request, &rules.headers.response, &mesh.apps.headers.response] {
        check_headers(headers);
    }
    let gate = Gate::new(&rules);
    let mut headers = HeaderMap::new();
    gate.tell_browsers(&mut headers, true);
    let expected = [rules.https.hsts.header().is_some(), rules.referrer_policy.is_some()];
    assert_eq!(headers.len(), expected.into_iter().filter(|is_set| *is_set).count());
    settings.iter().take(4).for_each(|(key, value)| check_sealed(key, value));
}

fn check_headers(rules: &[HeaderRule]) {
    for (place, rule) in rules.iter().enumerate() {
        assert!(!["host", "content-length", "transfer-encoding", "connection"].contains(&rule.name.as_str()));
        assert!(
            rule.name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && byte != b':')
        );
        let value = rule.value.as_deref().unwrap_or_default();
        assert!(value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)), "{value:?}");
        assert!(rules[place + 1..].iter().all(|other| other.name != rule.name), "{}", rule.name);
    }
}

/// Sealed once, no password is left, and sealing again changes nothing.
fn check_sealed(key: &str, value: &str) {
    // Each costs a millisecond.
    if value.split(',').count() > 3 {
        return;
    }
    let Ok(sealed) = seal(key, value, || [7; 16]) else { return };
    assert_eq!(seal(key, &sealed, || [8; 16]).as_deref(), Ok(sealed.as_str()));
    let settings = [(key.to_owned(), sealed)].into();
    assert!(key != "basicAuth" || AppSettings::parse(&settings).is_ok(), "{settings:?}");
}
