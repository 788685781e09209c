//! What a field of a request is to this router.

use crate::forwarded;

/// What a field is to this router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The app's business alone.
    Plain,
    /// `Host`.
    Host,
    /// `Content-Length`.
    Length,
    /// `Connection`.
    Connection,
    /// Of this connection only, and of no meaning here.
    Hop,
    /// `Transfer-Encoding`.
    Encoding,
    /// `Expect`.
    Expect,
    /// Makes a request uncommon.
    Odd,
    /// `Via`.
    Via,
    /// `X-Forwarded-For`.
    ForwardedFor,
    /// `X-Forwarded-Proto`.
    ForwardedProto,
    /// Told by this router only.
    Told,
    /// Looks to apps like what it is not.
    Deceptive,
    /// `Forwarded`.
    Forwarded,
    /// Another one that tells of the client.
    Claim,
    /// `X-Request-Start`.
    Start,
    /// `X-Request-Id`.
    Id,
    /// `Accept-Encoding`.
    AcceptEncoding,
    /// `Referer`, which only logs tell.
    Referer,
    /// `User-Agent`, likewise.
    Agent,
    /// `Authorization`, of which logs tell the name of a user.
    Authorization,
}

impl Kind {
    /// Of a field of this name.
    pub(crate) fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            2 if is("te") => Self::Odd,
            3 if is("via") => Self::Via,
            4 if is("host") => Self::Host,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") || is("trailer") => Self::Odd,
            7 if is("referer") => Self::Referer,
            9 if is("forwarded") => Self::Forwarded,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::Hop,
            10 if is("user-agent") => Self::Agent,
            12 if is("x-request-id") => Self::Id,
            12 if is("max-forwards") => Self::Odd,
            13 if is("authorization") => Self::Authorization,
            14 if is("content-length") => Self::Length,
            14 if is("http2-settings") => Self::Odd,
            15 if is("accept-encoding") => Self::AcceptEncoding,
            15 if is("x-forwarded-for") => Self::ForwardedFor,
            15 if is("x-request-start") => Self::Start,
            15 if is("x-forwarded-ssl") => Self::Told,
            16 if is("x-forwarded-port") => Self::Told,
            16 if is("proxy-connection") => Self::Hop,
            17 if is("x-forwarded-proto") => Self::ForwardedProto,
            17 if is("transfer-encoding") => Self::Encoding,
            _ if forwarded::is_deceptive(name.as_bytes()) => Self::Deceptive,
            _ if forwarded::is_about_client(name.as_bytes()) => Self::Claim,
            _ => Self::Plain,
        }
    }
}
