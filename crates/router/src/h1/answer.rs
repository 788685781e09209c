//! An app's answer: where its body ends, and its head as the visitor shall see it. Source: RFC 9112 section 6.3.

use std::mem::MaybeUninit;

use httparse::Status;

use crate::clock::Millis;
use crate::compress::Encoder;
use crate::h1::chunks::Chunks;
use crate::h1::coding::{Coding, Terms};
use crate::h1::fields::Fields;
use crate::h1::outline::Outline;

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

impl Extent {
    /// How many bytes that are, if it is known.
    fn length(self) -> Option<u64> {
        match self {
            Self::Length(length) => Some(length),
            Self::Chunked | Self::Connection => None,
        }
    }
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 200 to 999.
    pub(crate) status: u16,
    /// The length of the head.
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

/// A head that has been read.
pub(crate) enum Head {
    /// That of the answer.
    Final(Answer),
    /// That of an interim one, so many bytes long: others follow.
    Interim(usize),
}

impl Answer {
    /// Reads the head that `bytes` begin with and writes it to `outline` as `wish` says, compressed if there are `terms` for
    /// that; what compresses the body then. None if it is not all there.
    pub(crate) fn read<O: Outline>(
        bytes: &[u8],
        wish: Wish,
        terms: Option<Terms<'_>>,
        outline: &mut O,
    ) -> Result<Option<(Head, Option<Encoder>)>, Garbled> {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        let mut head = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let parsed = config.parse_response_with_uninit_headers(&mut head, bytes, &mut room);
        let Status::Complete(length) = parsed.map_err(|_| Garbled)? else { return Ok(None) };
        let (fields, reason) = (Fields::of(head.headers)?, head.reason.unwrap_or_default());
        match head.code {
            // Nobody asked to change the protocol.
            Some(status @ (100 | 102..=199)) => {
                fields.write_interim(outline, status, reason)?;
                Ok(Some((Head::Interim(length), None)))
            }
            Some(status @ 200..) => {
                let answer = fields.judge(status, head.version == Some(1), length, wish)?;
                // What HEAD learns is what GET would.
                let length = if wish.is_head { fields.told_length() } else { answer.extent.length() };
                let coding = terms.map(|terms| Coding::of(terms, status, length, fields.all));
                let coding = coding.unwrap_or_default();
                fields.write(outline, reason, &answer, &coding, wish)?;
                Ok(Some((Head::Final(answer), coding.encoder)))
            }
            _ => Err(Garbled),
        }
    }

    /// Whether what of its body came along with its head can be believed: as long as its visitor has seen nothing of it,
    /// another answer can take its place.
    pub(crate) fn begins_well(&self, body: &[u8]) -> bool {
        self.extent != Extent::Chunked || Chunks::new().read(body, |_| {}).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::buffer::Text;

    const WISH: Wish = Wish { is_head: false, is_last: false };

    fn read(head: &str, wish: Wish) -> Result<Option<(Answer, String)>, Garbled> {
        let mut text = Text::new();
        match Answer::read(head.as_bytes(), wish, None, &mut text)? {
            Some((Head::Final(answer), _)) => Ok(Some((answer, String::from_utf8(text.to_vec()).unwrap()))),
            Some((Head::Interim(length), _)) => read(&head[length..], wish),
            None => Ok(None),
        }
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
    fn an_interim_answer_is_a_head_without_what_ends_here() {
        let head = "HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: X-Mine\r\nX-Mine: 1\r\nContent-Length: 5\r\n\r\n";
        let rest = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n";
        let mut text = Text::new();
        let wish = Wish { is_head: false, is_last: true };
        let first = Answer::read(format!("{head}{rest}").as_bytes(), wish, None, &mut text);
        assert!(matches!(first, Ok(Some((Head::Interim(length), _))) if length == head.len()));
        assert_eq!(&text[..], b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        assert_eq!(read(&format!("{head}{rest}"), WISH), read(rest, WISH));
        for end in 0..head.len() + rest.len() {
            assert_eq!(read(&format!("{head}{rest}")[..end], WISH), Ok(None), "{end}");
        }
    }

    #[test]
    fn a_body_that_begins_badly_is_noticed() {
        let (answer, _) =
            read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", WISH).unwrap().unwrap();
        assert!(answer.begins_well(b"") && answer.begins_well(b"5\r\nhel"));
        assert!(!answer.begins_well(b"5\r\nhello\r\nx"));
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
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            assert_eq!(read(&head, WISH), Err(Garbled), "{fields}");
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
