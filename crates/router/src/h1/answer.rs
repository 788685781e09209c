//! An app's answer: where its body ends, and its head as the visitor shall see it. Source: RFC 9112 section 6.3.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::clock::Millis;
use crate::h1::buffer::Text;
use crate::h1::date;
use crate::link::keep_alive;

/// The most fields of an answer.
const FIELDS: usize = 100;

/// An answer that no reader should believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Where the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    Connection,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 200 to 999.
    pub(crate) status: u16,
    /// The length of the head and of all interim ones before it.
    pub(crate) head_bytes: usize,
    /// Where its body ends.
    pub(crate) extent: Extent,
    /// Whether the connection may carry another request.
    pub(crate) is_reusable: bool,
    /// How long the container said it keeps the connection open when idle.
    pub(crate) keep_alive: Option<Millis>,
}

/// What is asked of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    /// Only its head.
    pub(crate) is_head: bool,
    /// To say that it is the last one on the visitor's connection.
    pub(crate) is_last: bool,
}

impl Answer {
    /// Reads the head that `bytes` begin with and writes it to `outline` as `wish` says; none if it is not all there.
    pub(crate) fn read<O: Outline>(
        bytes: &[u8],
        wish: Wish,
        outline: &mut O,
    ) -> Result<Option<Self>, Garbled> {
        let mut start = 0;
        loop {
            let mut room = [const { MaybeUninit::uninit() }; FIELDS];
            let mut head = httparse::Response::new(&mut []);
            let config = httparse::ParserConfig::default();
            let parsed = config.parse_response_with_uninit_headers(&mut head, &bytes[start..], &mut room);
            let Status::Complete(length) = parsed.map_err(|_| Garbled)? else { return Ok(None) };
            start += length;
            match head.code {
                // Interim answers end here, as hyper has it; nobody asked to change the protocol.
                Some(100 | 102..=199) => {}
                Some(status @ 200..) => {
                    let fields = Fields::of(head.headers)?;
                    let answer = fields.judge(status, head.version == Some(1), start, wish)?;
                    let reason = head.reason.unwrap_or_default();
                    fields.write(outline, status, reason, &answer, wish)?;
                    return Ok(Some(answer));
                }
                _ => return Err(Garbled),
            }
        }
    }
}

/// Where the head of an answer is written to, in the form that the visitor's protocol has for it.
pub(crate) trait Outline {
    /// What comes first.
    fn begin(&mut self, status: u16, reason: &str);
    /// One field after the other.
    fn field(&mut self, name: &str, value: &[u8]) -> Result<(), Garbled>;
    /// The date, which the app did not tell.
    fn date(&mut self);
    /// There are no further fields.
    fn end(&mut self, extent: Extent, wish: Wish);
}

impl Outline for Text {
    fn begin(&mut self, status: u16, reason: &str) {
        let digits = [status / 100, status / 10 % 10, status % 10];
        self.extend_from_slice(b"HTTP/1.1 ");
        self.extend(digits.map(|digit| b'0' + u8::try_from(digit).unwrap_or_default()));
        put(self, &[b" ", reason.as_bytes(), b"\r\n"]);
    }

    fn field(&mut self, name: &str, value: &[u8]) -> Result<(), Garbled> {
        put(self, &[name.as_bytes(), b": ", value, b"\r\n"]);
        Ok(())
    }

    fn date(&mut self) {
        date::write(self);
    }

    fn end(&mut self, extent: Extent, wish: Wish) {
        if matches!(extent, Extent::Chunked | Extent::Connection) {
            self.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        self.extend_from_slice(if wish.is_last { b"Connection: close\r\n\r\n" } else { b"\r\n" });
    }
}

/// The fields of an answer and what they say of its connection.
struct Fields<'h, 'b> {
    all: &'h [Header<'b>],
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

/// Whether a field of this name is never passed on as a trailer: it ends here, or concerns the body's form.
pub(crate) fn ends_here(name: &str) -> bool {
    !matches!(Kind::of(name), Kind::Plain | Kind::Date)
}

impl<'h, 'b> Fields<'h, 'b> {
    fn of(all: &'h [Header<'b>]) -> Result<Self, Garbled> {
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

    fn judge(&self, status: u16, is_http_11: bool, head_bytes: usize, wish: Wish) -> Result<Answer, Garbled> {
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

    fn write<O: Outline>(
        &self,
        outline: &mut O,
        status: u16,
        reason: &str,
        answer: &Answer,
        wish: Wish,
    ) -> Result<(), Garbled> {
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
            if is_kept {
                outline.field(field.name, field.value)?;
            }
        }
        if !self.has_date {
            outline.date();
        }
        outline.end(answer.extent, wish);
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

fn put(text: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| text.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { is_head: false, is_last: false };

    fn read(head: &str, wish: Wish) -> Result<Option<(Answer, String)>, Garbled> {
        let mut text = Text::new();
        let answer = Answer::read(head.as_bytes(), wish, &mut text)?;
        Ok(answer.map(|answer| (answer, String::from_utf8(text.to_vec()).unwrap())))
    }

    #[track_caller]
    fn check(fields: &str, extent: Extent, is_reusable: bool, expected: &str) {
        let head = format!("HTTP/1.1 200 Fine\r\nDate: x\r\n{fields}\r\n");
        let (answer, text) = read(&head, WISH).unwrap().unwrap();
        assert_eq!((answer.extent, answer.is_reusable), (extent, is_reusable), "{fields:?}");
        assert_eq!(text, format!("HTTP/1.1 200 Fine\r\nDate: x\r\n{expected}\r\n"), "{fields:?}");
    }

    #[test]
    fn an_answer_is_passed_on_without_what_ends_here() {
        let length = "Content-Length: 5\r\n";
        check(length, Extent::Length(5), true, length);
        check(&format!("{length}Connection: close\r\n"), Extent::Length(5), false, length);
        check(&format!("Keep-Alive: timeout=5\r\n{length}Upgrade: h2c\r\n"), Extent::Length(5), true, length);
        check(
            &format!("{length}X-Mine: 1\r\nEtag: 2\r\nConnection: x-mine, keep-alive\r\n"),
            Extent::Length(5),
            true,
            &format!("{length}Etag: 2\r\n"),
        );
        check(&format!("{length}{length}"), Extent::Length(5), true, length);
        let chunked = "Transfer-Encoding: chunked\r\n";
        check(chunked, Extent::Chunked, true, chunked);
        check(&format!("{length}{chunked}"), Extent::Chunked, true, chunked);
        check("Etag: 1\r\n", Extent::Connection, false, &format!("Etag: 1\r\n{chunked}"));
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for (status, is_head, expected) in
            [(200, true, "Content-Length: 5\r\n"), (304, false, "Content-Length: 5\r\n"), (204, false, "")]
        {
            let head = format!("HTTP/1.1 {status} \r\nDate: x\r\nContent-Length: 5\r\n\r\n");
            let (answer, text) = read(&head, Wish { is_head, is_last: true }).unwrap().unwrap();
            assert_eq!(answer.extent, Extent::Length(0));
            assert_eq!(text, format!("HTTP/1.1 {status} \r\nDate: x\r\n{expected}Connection: close\r\n\r\n"));
        }
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n";
        let (answer, text) = read(head, WISH).unwrap().unwrap();
        assert_eq!((answer.status, answer.head_bytes), (200, head.len()));
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"));
        for end in 0..head.len() {
            assert_eq!(read(&head[..end], WISH), Ok(None), "{end}");
        }
    }

    #[test]
    fn a_date_is_told_if_the_app_tells_none() {
        let (_, text) = read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", WISH).unwrap().unwrap();
        assert!(text.contains("\r\nDate: ") && text.contains(" GMT\r\n"), "{text}");
    }

    #[test]
    fn older_apps_close_unless_they_say_otherwise() {
        let (closing, _) = read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", WISH).unwrap().unwrap();
        let kept = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n";
        let (kept, _) = read(kept, WISH).unwrap().unwrap();
        assert!(!closing.is_reusable && kept.is_reusable);
    }

    #[test]
    fn what_cannot_be_believed_is_garbled() {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1, 1",
            "Content-Length: +1",
            "Content-Length:",
            "Content-Length: 9999999999999999999",
            "Content-Length: 99999999999999999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "A: b\r\n c",
            "no colon",
        ] {
            assert_eq!(read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"), WISH), Err(Garbled), "{fields}");
        }
        for head in [
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 099 X\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
        ] {
            assert_eq!(read(head, WISH), Err(Garbled), "{head}");
        }
    }
}
