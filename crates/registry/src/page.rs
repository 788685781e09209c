//! Lists in pages: `?n=` and `?last=` in, a `Link` to the next page out.

use crate::error::RequestError;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

/// The most entries in one answer, also when more are asked for.
const PAGE_LIMIT: usize = 1000;

/// What part of a list is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Page {
    n: Option<String>,
    /// The entry that the page before ended with.
    pub(crate) last: Option<String>,
}

impl Page {
    /// How many entries are wanted.
    pub(crate) fn length(&self) -> Result<usize, RequestError> {
        let Some(n) = &self.n else {
            return Ok(PAGE_LIMIT);
        };
        let wanted: u64 = n.parse().map_err(|_| RequestError::Query { reason: "n is no number" })?;
        Ok(usize::try_from(wanted).unwrap_or(PAGE_LIMIT).min(PAGE_LIMIT))
    }
}

/// The first `length` of `entries`, and the last of them if there are more.
pub(crate) fn cut(mut entries: Vec<String>, length: usize) -> (Vec<String>, Option<String>) {
    let more = entries.len() > length;
    entries.truncate(length);
    let last = entries.last().filter(|_| more).cloned();
    (entries, last)
}

/// Answers with `body`, and with a link to what follows `last` below `path`.
pub(crate) fn answer(body: impl Serialize, path: &str, length: usize, last: Option<&str>) -> Response {
    let mut response = Json(body).into_response();
    if let Some(last) = last {
        let link = format!("<{path}?n={length}&last={last}>; rel=\"next\"");
        let value = HeaderValue::from_str(&link).expect("paths and entries are visible ASCII");
        response.headers_mut().insert(header::LINK, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_bounded_length() {
        let length = |n: Option<&str>| Page { n: n.map(str::to_owned), last: None }.length();
        assert_eq!(length(None).unwrap(), PAGE_LIMIT);
        assert_eq!(length(Some("0")).unwrap(), 0);
        assert_eq!(length(Some("7")).unwrap(), 7);
        assert_eq!(length(Some("1000000")).unwrap(), PAGE_LIMIT);
        assert!(length(Some("-1")).is_err());
        assert!(length(Some("x")).is_err());
    }

    #[test]
    fn only_a_page_with_more_behind_it_has_a_last_entry() {
        let entries = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(cut(entries(), 2), (entries(), None));
        assert_eq!(cut(entries(), 1), (vec!["a".to_owned()], Some("a".to_owned())));
        assert_eq!(cut(entries(), 0), (vec![], None));
    }
}
