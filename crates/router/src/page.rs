//! What a visitor sees when the router itself has to answer.

mod form;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::framing::Fault;
use crate::host::HostError;
use crate::metrics::Event;
use crate::request_id::X_REQUEST_ID;
use crate::rules::Refusal;

use form::Form;

/// Why a request gets no answer from an app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It can be read in two ways.
    #[error("the request is malformed: {0}")]
    Malformed(Fault),
    /// Its host is no host.
    #[error("the request is malformed: {0}")]
    BadHost(HostError),
    /// It is of a version of HTTP that nobody here speaks.
    #[error("the request is of a version of HTTP that this router does not speak; it speaks 1.0, 1.1 and 2")]
    ForeignVersion,
    /// Its target is longer than heads may be.
    #[error("the request's target is longer than this router allows")]
    LongTarget,
    /// All of its head is.
    #[error("the request's fields are longer than this router allows")]
    LongHead,
    /// `TRACE`, which shows to a page's scripts what browsers keep from them.
    #[error("this router traces no requests")]
    NotTraced,
    /// It has come by too often.
    #[error("the request goes in a circle: the app passes it on to a host that leads back here")]
    Circle,
    /// `CONNECT`, or a target that is not a path.
    #[error("this router forwards requests for paths only")]
    NotForwarded,
    /// The client stopped sending the body.
    #[error("the request's body broke off")]
    BrokenBody,
    /// The client sends it too slowly.
    #[error("the request's body came too slowly")]
    SlowBody,
    /// The body is over the limit.
    #[error("the request's body is larger than this router allows")]
    TooLarge,
    /// The connection's certificate is another host's, and this host has one of its own.
    #[error("this connection is not secured for the host; come again over another one")]
    Misdirected,
    /// The rules of the service it is for do not let it pass.
    #[error("{0}")]
    Refused(Refusal),
    /// No route for the host.
    #[error("no app answers at this address; check its spelling and the app's domains")]
    UnknownHost,
    /// A path at which the platform's parts speak to each other.
    #[error("there is nothing for visitors at this path of the platform")]
    Private,
    /// A route without endpoints.
    #[error("the app has no running web process; if it is yours, see `deis ps` and scale web to 1 or more")]
    NoEndpoints,
    /// The same, though it is to have some, and none came in time.
    #[error("the app is starting; try again in a moment; if it is yours, see `deis ps` and `deis logs`")]
    Starting,
    /// The same, and as many requests wait for it as may.
    #[error("the app is starting, and too many requests wait for it; try again in a moment")]
    Crowded,
    /// No endpoint accepts a connection.
    #[error("the app does not accept connections; if it is yours, see `deis logs`")]
    Unreachable,
    /// The router's system has no room for one more connection to an endpoint.
    #[error(
        "this router has no room for one more connection; try again in a moment; its operator raises the limit of open files"
    )]
    NoRoom,
    /// No controller accepts a connection, and it was one that was asked for.
    #[error(
        "the platform's controller does not answer; apps are served meanwhile; its operator finds the cause with `deisctl status`"
    )]
    NoController,
    /// The connection ended before an answer.
    #[error("the app closed the connection without an answer; if it is yours, see `deis logs`")]
    NoAnswer,
    /// What came back is not HTTP.
    #[error("the app's answer is not HTTP")]
    Garbled,
    /// It was asked to change the protocol and answered something else.
    #[error("the app does not speak WebSocket at this path")]
    NotUpgraded,
    /// It changed the protocol to another than it was asked to.
    #[error("the app changed to a protocol that nobody asked for")]
    Unasked,
    /// No answer in time.
    #[error("the app did not answer in time; if it is yours, see `deis logs`")]
    TimedOut,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Malformed(fault)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::BadHost(error)
    }
}

impl Failure {
    /// The status for it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(Fault::UnknownCoding) | Self::NotTraced => StatusCode::NOT_IMPLEMENTED,
            Self::ForeignVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::LongTarget => StatusCode::URI_TOO_LONG,
            Self::LongHead => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Circle => StatusCode::LOOP_DETECTED,
            Self::Malformed(_) | Self::BadHost(_) | Self::NotForwarded | Self::BrokenBody => {
                StatusCode::BAD_REQUEST
            }
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Refused(refusal) => refusal.status(),
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::UnknownHost | Self::Private => StatusCode::NOT_FOUND,
            Self::NoEndpoints | Self::Starting | Self::Crowded | Self::NoRoom | Self::NoController => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Unreachable | Self::NoAnswer | Self::Garbled | Self::NotUpgraded | Self::Unasked => {
                StatusCode::BAD_GATEWAY
            }
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Which of the three between visitor and answer failed.
    fn side(&self) -> &'static str {
        match (self, self.status().as_u16()) {
            (Self::NoController, _) => "platform",
            (Self::Refused(Refusal::Attack(_)), _) => "request",
            // Its owner wished so.
            (Self::Refused(Refusal::Maintenance { .. }), _) => "app",
            (Self::NoRoom, _) | (_, 404) => "router",
            (_, 300..500) | (Self::Malformed(_) | Self::NotTraced | Self::ForeignVersion, _) => "request",
            _ => "app",
        }
    }

    /// What it counts as beside its status.
    pub(crate) fn event(&self) -> Option<Event> {
        match self {
            Self::Refused(Refusal::TooMany(_)) => Some(Event::Limited),
            Self::Refused(_) => Some(Event::Refused),
            _ => None,
        }
    }

    /// The answer, in the form that the `Accept` of the request's `headers` prefers.
    pub(crate) fn page(&self, headers: &HeaderMap, request_id: &HeaderValue) -> Response<String> {
        let id = request_id.to_str().unwrap_or_default();
        let refusal = if let Self::Refused(refusal) = self { Some(refusal) } else { None };
        let (content_type, body) = match (refusal.and_then(Refusal::own_page), Form::wanted(headers)) {
            (Some((content_type, page)), _) => (content_type, page.to_owned()),
            (None, form) => (form.content_type(), form.render(self, id)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(&X_REQUEST_ID, request_id.clone());
        if matches!(self, Self::Starting | Self::Crowded | Self::NoRoom) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        headers.extend(refusal.and_then(Refusal::field));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::ACCEPT;

    fn check(failure: Failure, accept: &'static str, content_type: &str, expected: &[&str]) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let page = failure.page(&headers, &HeaderValue::from_static("r1"));
        assert_eq!(page.status(), failure.status());
        assert_eq!(page.headers()[CONTENT_TYPE], content_type);
        for text in expected {
            assert!(page.body().contains(text), "{text:?} in {:?}", page.body());
        }
    }

    #[test]
    fn a_page_says_what_failed_and_which_request_it_was() {
        let html = "text/html; charset=utf-8";
        check(
            Failure::UnknownHost,
            "text/html,*/*",
            html,
            &["404 Not Found", "r1", "\"failed\">router", "<p>No app answers"],
        );
        check(Failure::NoEndpoints, "text/html", html, &["503 Service Unavailable", "\"failed\">app"]);
    }

    #[test]
    fn programs_get_text_or_json() {
        check(
            Failure::UnknownHost,
            "*/*",
            "text/plain; charset=utf-8",
            &["404 Not Found", "failed: router", "r1"],
        );
        check(
            Failure::NoRoom,
            "*/*",
            "text/plain; charset=utf-8",
            &["503 Service Unavailable", "failed: router"],
        );
        check(
            Failure::TimedOut,
            "application/json",
            "application/json",
            &["\"status\":504", "\"failed\":\"app\""],
        );
        let text = "text/plain; charset=utf-8";
        let attack = Refusal::Attack(StatusCode::SERVICE_UNAVAILABLE);
        check(Failure::Refused(attack), "*/*", text, &["503 Service Unavailable", "failed: request"]);
        let maintenance = Refusal::Maintenance { page: None, retry_after: std::time::Duration::from_secs(5) };
        check(Failure::Refused(maintenance), "*/*", text, &["503 Service Unavailable", "failed: app"]);
        check(
            Failure::TooLarge,
            "application/json, text/html;q=0.1",
            "application/json",
            &["\"failed\":\"request\""],
        );
    }
}
