//! A request's head as rules see it, whoever read it.

use http::header::HeaderName;
use http::request::Parts;

/// What rules ask of a request's head.
pub(crate) trait Head {
    /// Path and query, as it came.
    fn target(&self) -> &str;
    /// All values of a header, in their order.
    fn fields(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]>;
}

impl Head for Parts {
    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    fn fields(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(name).iter().map(AsRef::as_ref)
    }
}
