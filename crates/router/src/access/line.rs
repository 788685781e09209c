//! What there is to say of one request.

use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use deis_model::routing::LogForm;
use deis_model::{AppId, ReleaseVersion};
use http::Version;
use time::OffsetDateTime;

use super::{combined, json};
use crate::metrics::Exchange;

/// What there is to say of one request. What the client sent is as it was sent; empty if it was not.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    /// When its answer ended.
    pub(crate) at: OffsetDateTime,
    /// The client's address, as apps learn it.
    pub(crate) client: &'a [u8],
    /// `Authorization`, of which only the name of a user is ever shown.
    pub(crate) authorization: &'a [u8],
    /// The method.
    pub(crate) method: &'a [u8],
    /// Path and query.
    pub(crate) target: &'a [u8],
    /// The protocol.
    pub(crate) version: Version,
    /// What was answered, and how long it took.
    pub(crate) exchange: &'a Exchange,
    /// `Referer`.
    pub(crate) referer: &'a [u8],
    /// `User-Agent`.
    pub(crate) agent: &'a [u8],
    /// `Host`.
    pub(crate) host: &'a [u8],
    /// The app; none of the platform's API and of unknown hosts.
    pub(crate) app: Option<&'a AppId>,
    /// The release that answered.
    pub(crate) release: Option<ReleaseVersion>,
    /// The container that answered.
    pub(crate) endpoint: Option<SocketAddr>,
    /// The request's name.
    pub(crate) request_id: &'a [u8],
    /// The version of TLS; empty without it.
    pub(crate) tls: &'a str,
}

impl Line<'_> {
    /// Appends it in this form, with the end of the line.
    pub(crate) fn write(&self, form: LogForm, out: &mut Vec<u8>) {
        match form {
            LogForm::Off => return,
            LogForm::Combined => combined::write(self, out),
            LogForm::Json => json::write(self, out),
        }
        out.push(b'\n');
    }

    /// The line without its end.
    pub(crate) fn text(&self, form: LogForm) -> String {
        let mut out = Vec::with_capacity(512);
        self.write(form, &mut out);
        out.pop();
        String::from_utf8(out).expect("both forms escape what is no text")
    }

    /// The name that the client gave with HTTP's basic authentication; empty if it gave none. Source: RFC 7617.
    pub(super) fn user(&self) -> Vec<u8> {
        let (scheme, rest) = self.authorization.split_at(self.authorization.len().min(6));
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return Vec::new();
        }
        let mut decoded = BASE64_STANDARD.decode(rest.trim_ascii()).unwrap_or_default();
        // Without a colon it is not known where a password begins.
        let end = memchr::memchr(b':', &decoded).unwrap_or(0);
        decoded.truncate(end);
        decoded
    }

    /// The protocol as it is written.
    pub(super) fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            _ => "HTTP/1.1",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use http::StatusCode;
    use std::time::Duration;
    use time::macros::datetime;

    const GOOD: Exchange = Exchange {
        status: StatusCode::OK,
        first_byte: Duration::from_micros(12_345),
        whole: Duration::from_micros(23_456),
        received: 3,
        sent: 1024,
    };

    const BAD: Exchange = Exchange {
        status: StatusCode::NOT_FOUND,
        first_byte: Duration::ZERO,
        whole: Duration::ZERO,
        received: 0,
        sent: 0,
    };

    /// A line on which everything is said.
    pub(in crate::access) fn full(app: &AppId) -> Line<'_> {
        Line {
            at: datetime!(2026-11-03 02:04:05.0678 UTC),
            client: b"203.0.113.9",
            authorization: b"Basic YWxpY2U6c2VjcmV0",
            method: b"GET",
            target: b"/a?b=c",
            version: Version::HTTP_11,
            exchange: &GOOD,
            referer: b"https://example.com/",
            agent: b"curl/8",
            host: b"blog.example.com",
            app: Some(app),
            release: ReleaseVersion::new(3),
            endpoint: Some(([10, 0, 0, 1], 5000).into()),
            request_id: b"0af7",
            tls: "TLSv1.3",
        }
    }

    /// A line on which nothing is said that need not be.
    pub(in crate::access) fn bare() -> Line<'static> {
        let empty: &[u8] = b"";
        Line {
            at: datetime!(2026-11-03 02:04:05 UTC),
            client: b"203.0.113.9",
            authorization: empty,
            method: b"GET",
            target: b"/",
            version: Version::HTTP_2,
            exchange: &BAD,
            referer: empty,
            agent: b"\" 200 \n1.2.3.4",
            host: empty,
            app: None,
            release: None,
            endpoint: None,
            request_id: b"0af7",
            tls: "",
        }
    }

    #[test]
    fn only_the_name_of_a_user_is_known() {
        let app = AppId::parse("blog").unwrap();
        let check = |authorization: &[u8], expected: &[u8]| {
            let line = Line { authorization, ..full(&app) };
            assert_eq!(line.user(), expected, "{authorization:?}");
        };
        check(b"Basic YWxpY2U6c2VjcmV0", b"alice");
        check(b"bAsIc  YWxpY2U6c2VjcmV0 ", b"alice");
        // `secret` alone, a token, nonsense, nothing.
        for none in [&b"Basic c2VjcmV0"[..], b"Bearer abc", b"Basic ???", b"Basic", b""] {
            check(none, b"");
        }
    }
}
