//! Pages of lists: `?page=2&page_size=10`.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;

use deis_api::v1::Page;
use deis_database::{Listing, Slice};

use super::reply::{Reply, json_reply};
use crate::app::Refusal;

/// How many items a page has where the client does not say.
const DEFAULT_SIZE: u32 = 100;

/// How many items a page has at most.
const MAX_SIZE: u32 = 10_000;

/// The page that is asked for.
pub(super) struct Paging {
    number: u32,
    size: u32,
    /// The list's absolute URL without its query.
    url: String,
    /// The query without `page`.
    query: BTreeMap<String, String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut query: BTreeMap<String, String> =
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let size = query.get("page_size").and_then(|text| text.parse().ok()).filter(|size| *size > 0);
        let number = query.remove("page").map_or(Ok(1), |text| text.parse());
        Ok(Self {
            number: number.ok().filter(|number| *number > 0).ok_or(Refusal::NotFound)?,
            size: size.unwrap_or(DEFAULT_SIZE).min(MAX_SIZE),
            url: absolute(parts),
            query,
        })
    }
}

impl Paging {
    /// The part of the list that is on this page. Far beyond any end, it is the furthest that can be said.
    pub(super) fn slice(&self) -> Slice {
        Slice { offset: (self.number - 1).saturating_mul(self.size), limit: self.size }
    }

    /// The answer with one page. A page beyond the last is not found; an empty list has one page.
    pub(super) fn reply<T, W: serde::Serialize>(&self, listing: Listing<T>, wire: impl Fn(T) -> W) -> Reply {
        let offset = u64::from(self.slice().offset);
        if self.number > 1 && offset >= listing.total {
            return Err(Refusal::NotFound);
        }
        let has_more = offset + u64::from(self.size) < listing.total;
        let page = Page {
            count: listing.total,
            next: has_more.then(|| self.link(self.number + 1)),
            previous: (self.number > 1).then(|| self.link(self.number - 1)),
            results: listing.items.into_iter().map(wire).collect::<Vec<W>>(),
        };
        json_reply(StatusCode::OK, &page)
    }

    /// The answer with one page of a list that is whole in memory.
    pub(super) fn reply_from<T, W: serde::Serialize>(&self, items: Vec<T>, wire: impl Fn(T) -> W) -> Reply {
        let total = items.len() as u64;
        let slice = self.slice();
        let items = items.into_iter().skip(slice.offset as usize).take(slice.limit as usize).collect();
        self.reply(Listing { total, items }, wire)
    }

    fn link(&self, number: u32) -> String {
        let mut query = self.query.clone();
        query.insert("page".to_owned(), number.to_string());
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&query).finish();
        format!("{}?{query}", self.url)
    }
}

/// The URL as the client wrote it, as far as proxies tell.
fn absolute(parts: &Parts) -> String {
    let uri = &parts.uri;
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let is_secure = header("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let scheme = if is_secure { "https" } else { "http" };
    let host = header(HOST.as_str()).or_else(|| uri.authority().map(|authority| authority.as_str()));
    format!("{scheme}://{}{}", host.unwrap_or("localhost"), uri.path())
}
