//! The head of an answer as it is written, in the form that a visitor's protocol has for it.

use crate::h1::answer::{Extent, Garbled, Wish};
use crate::h1::buffer::Text;
use crate::h1::date;

/// Where the head of an answer is written to.
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

fn put(text: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| text.extend_from_slice(part));
}
