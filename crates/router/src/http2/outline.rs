//! The head of an answer as HTTP/2 has it.

use http::header::{DATE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::h1::{Extent, Garbled, Outline, Wish, date};

/// The head of an answer.
#[derive(Debug, Default)]
pub(super) struct Head(pub(super) Response<()>);

impl Outline for Head {
    fn begin(&mut self, status: u16, _reason: &str) {
        // One that is no status is noticed by whoever asked for the answer.
        *self.0.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    }

    fn field(&mut self, name: &str, value: &[u8]) -> Result<(), Garbled> {
        add(self.0.headers_mut(), name, value)
    }

    fn date(&mut self) {
        self.0.headers_mut().insert(DATE, date::value());
    }

    fn end(&mut self, _extent: Extent, _wish: Wish) {}
}

/// The fields that follow a body in chunks, as they came: with the empty line at their end.
pub(super) fn trailers(text: &[u8]) -> Result<HeaderMap, Garbled> {
    let mut room = [httparse::EMPTY_HEADER; MOST_TRAILERS];
    let parsed = httparse::parse_headers(text, &mut room).map_err(|_| Garbled)?;
    let mut trailers = HeaderMap::new();
    let httparse::Status::Complete((_, fields)) = parsed else { return Err(Garbled) };
    for field in fields.iter().filter(|field| !crate::h1::ends_here(field.name)) {
        add(&mut trailers, field.name, field.value)?;
    }
    Ok(trailers)
}

/// The most fields that may follow a body.
const MOST_TRAILERS: usize = 64;

fn add(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), Garbled> {
    // Of no meaning in an answer, and not allowed here. Source: RFC 9113 section 8.2.2.
    if name.eq_ignore_ascii_case("te") {
        return Ok(());
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Garbled)?;
    headers.append(name, HeaderValue::from_bytes(value).map_err(|_| Garbled)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_read_without_what_ends_here() {
        let read = trailers(b"X-Sum: 1\r\nContent-Length: 5\r\nConnection: close\r\nTE: a\r\n\r\n").unwrap();
        let fields: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(fields, [("x-sum", &b"1"[..])]);
        assert_eq!(trailers(b"\r\n").unwrap().len(), 0);
        assert_eq!(trailers(b"no field\r\n\r\n").unwrap_err(), Garbled);
        assert_eq!(trailers("a: b\r\n".repeat(100).as_bytes()).unwrap_err(), Garbled);
    }
}
