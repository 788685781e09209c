//! The fields of an app's answer: what they say of its body and its connection, and which of them are passed on.

use httparse::Header;

use crate::clock::Millis;
use crate::h1::answer::{Answer, Extent, Garbled, Wish};
use crate::h1::coding::Coding;
use crate::h1::outline::Outline;
use crate::link::keep_alive;

/// The fields of an answer and what they say of its connection.
pub(super) struct Fields<'h, 'b> {
    /// One after the other.
    pub(super) all: &'h [Header<'b>],
    length: Option<u64>,
    is_chunked: bool,
    is_closed: bool,
    is_kept: bool,
    has_date: bool,
    /// Whether fields that end here are named in `Connection`.
    names_fields: bool,
    keep_alive: Option<Millis>,
}

/// What a field of an answer is to this router.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Length,
    Encoding,
    Connection,
    KeepAlive,
    Hop,
    Date,
}

impl Kind {
    fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 if is("date") => Self::Date,
            7 if is("upgrade") => Self::Hop,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::KeepAlive,
            14 if is("content-length") => Self::Length,
            16 if is("proxy-connection") => Self::Hop,
            17 if is("transfer-encoding") => Self::Encoding,
            _ => Self::Plain,
        }
    }
}

/// Whether a field of this name is passed on with no trailers and no interim answers: it ends here, or concerns a body's form.
pub(crate) fn ends_here(name: &str) -> bool {
    !matches!(Kind::of(name), Kind::Plain | Kind::Date)
}

impl<'h, 'b> Fields<'h, 'b> {
    /// Reads `all`, or finds them contradictory.
    pub(super) fn of(all: &'h [Header<'b>]) -> Result<Self, Garbled> {
        let mut fields = Self {
            all,
            length: None,
            is_chunked: false,
            is_closed: false,
            is_kept: false,
            has_date: false,
            names_fields: false,
            keep_alive: None,
        };
        for field in all {
            match Kind::of(field.name) {
                Kind::Length => fields.length(field.value)?,
                Kind::Encoding if !fields.is_chunked && field.value.eq_ignore_ascii_case(b"chunked") => {
                    fields.is_chunked = true;
                }
                Kind::Encoding => return Err(Garbled),
                Kind::Connection => fields.connection(field.value),
                Kind::KeepAlive => {
                    fields.keep_alive = std::str::from_utf8(field.value).ok().and_then(keep_alive);
                }
                Kind::Date => fields.has_date = true,
                Kind::Hop | Kind::Plain => {}
            }
        }
        Ok(fields)
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Garbled> {
        if !(1..=18).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
            return Err(Garbled);
        }
        let length = value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        match self.length.replace(length) {
            // Apps that say the same twice are understood by everybody.
            Some(before) if before != length => Err(Garbled),
            _ => Ok(()),
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            match option {
                b"" => {}
                _ if option.eq_ignore_ascii_case(b"close") => self.is_closed = true,
                _ if option.eq_ignore_ascii_case(b"keep-alive") => self.is_kept = true,
                _ => self.names_fields = true,
            }
        }
    }

    /// What the answer is whose head they are.
    pub(super) fn judge(
        &self,
        status: u16,
        is_http_11: bool,
        head_bytes: usize,
        wish: Wish,
    ) -> Result<Answer, Garbled> {
        if self.is_chunked && !is_http_11 {
            return Err(Garbled);
        }
        let extent = match self.length {
            _ if wish.is_head || is_bodiless(status) => Extent::Length(0),
            _ if self.is_chunked => Extent::Chunked,
            Some(length) => Extent::Length(length),
            None => Extent::Connection,
        };
        let is_reusable = !self.is_closed && (is_http_11 || self.is_kept) && extent != Extent::Connection;
        Ok(Answer { status, head_bytes, extent, is_reusable, keep_alive: self.keep_alive })
    }

    /// The length of the body that they tell of, whether it is sent or not; none if they tell none.
    pub(super) fn told_length(&self) -> Option<u64> {
        self.length.filter(|_| !self.is_chunked)
    }

    /// Writes the head of `answer` to `outline`, changed by `coding`.
    pub(super) fn write<O: Outline>(
        &self,
        outline: &mut O,
        reason: &str,
        answer: &Answer,
        coding: &Coding,
        wish: Wish,
    ) -> Result<(), Garbled> {
        let status = answer.status;
        outline.begin(status, reason);
        let mut has_length = false;
        for field in self.all {
            let is_kept = match Kind::of(field.name) {
                // Two lengths, once they are alike, are one.
                Kind::Length => {
                    !self.is_chunked && status != 204 && !std::mem::replace(&mut has_length, true)
                }
                Kind::Plain => !self.is_named(field.name),
                Kind::Date => true,
                Kind::Encoding | Kind::Connection | Kind::KeepAlive | Kind::Hop => false,
            };
            if is_kept && !coding.replaces(field.name) {
                outline.field(field.name, field.value)?;
            }
        }
        if !self.has_date {
            outline.date();
        }
        for (name, value) in coding.fields() {
            outline.field(name, value)?;
        }
        let extent = if coding.encoder.is_some() { Extent::Chunked } else { answer.extent };
        outline.end(extent, wish);
        Ok(())
    }

    /// Writes the head of an interim answer with them, which has no body and tells nothing of one. Source: RFC 9110 sections
    /// 8.6 and 15.2.
    pub(super) fn write_interim<O: Outline>(
        &self,
        outline: &mut O,
        status: u16,
        reason: &str,
    ) -> Result<(), Garbled> {
        outline.begin(status, reason);
        for field in self.all {
            if !ends_here(field.name) && !self.is_named(field.name) {
                outline.field(field.name, field.value)?;
            }
        }
        outline.end(Extent::Length(0), Wish { is_head: false, is_last: false });
        Ok(())
    }

    /// Whether `Connection` says that it ends here.
    fn is_named(&self, name: &str) -> bool {
        self.names_fields && {
            let values = self.all.iter().filter(|field| Kind::of(field.name) == Kind::Connection);
            let mut options = values.flat_map(|field| field.value.split(|byte| *byte == b','));
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        }
    }
}

/// Source: RFC 9110 sections 15.3.5 and 15.4.5.
fn is_bodiless(status: u16) -> bool {
    matches!(status, 204 | 304)
}
