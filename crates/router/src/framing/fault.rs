//! Why a request cannot be believed.

use std::fmt;

/// Why a request is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A line ends without a carriage return.
    BareLineFeed,
    /// A field goes on in a second line.
    FoldedField,
    /// A line in the head is not a field.
    NotAField,
    /// A target with a fragment.
    Fragment,
    /// Both lengths at once.
    LengthAndEncoding,
    /// Not one plain number.
    BadLength,
    /// Given twice, even if alike.
    RepeatedLength,
    /// Anything else than one `chunked` in HTTP/1.1.
    BadEncoding,
    /// A coding that is not known here, and `chunked` after it: that its end is clear makes it no better.
    UnknownCoding,
    /// HTTP/1.1 without `Host`.
    NoHost,
    /// More than one `Host`.
    RepeatedHost,
    /// A chunk without a length.
    BadChunk,
    /// A line without an end.
    TooLong,
    /// HTTP/2 with a `Host` that is not its authority.
    OtherHost,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BareLineFeed => "a line of its head ends without a carriage return",
            Self::FoldedField => "a field of its head is folded over two lines",
            Self::NotAField => "a line of its head is not a field",
            Self::Fragment => "its target has a fragment",
            Self::LengthAndEncoding => "it has both Content-Length and Transfer-Encoding",
            Self::BadLength => "its Content-Length is not a number",
            Self::RepeatedLength => "it has more than one Content-Length",
            Self::BadEncoding => "its Transfer-Encoding is not just chunked",
            Self::UnknownCoding => "its Transfer-Encoding has a coding that this router does not know",
            Self::NoHost => "it names no Host",
            Self::RepeatedHost => "it has more than one Host",
            Self::BadChunk => "a chunk of its body has no length",
            Self::TooLong => "a line of it is too long",
            Self::OtherHost => "its Host is not its authority",
        })
    }
}
