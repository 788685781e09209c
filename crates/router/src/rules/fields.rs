//! What rules change about headers, ready for use.

use deis_model::routing::HeaderRule;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers that are set or removed.
#[derive(Default)]
pub(super) struct Fields(Vec<(HeaderName, Option<HeaderValue>)>);

impl Fields {
    /// What `rules` say.
    pub(super) fn new(rules: &[HeaderRule]) -> Self {
        Self(rules.iter().filter_map(read).collect())
    }

    /// Changes `headers`.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => _ = headers.insert(name, value.clone()),
                None => _ = headers.remove(name),
            }
        }
    }
}

/// None of a rule that is none of HTTP's, which the settings do not allow.
fn read(rule: &HeaderRule) -> Option<(HeaderName, Option<HeaderValue>)> {
    let name = HeaderName::from_bytes(rule.name.as_bytes()).ok()?;
    let value = rule.value.as_ref().map(|value| HeaderValue::from_str(value).ok());
    match value {
        Some(None) => None,
        Some(value) => Some((name, value)),
        None => Some((name, None)),
    }
}
