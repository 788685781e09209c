//! The fields of a head that say where its request ends.

use super::fault::Fault;

/// What a head says of where its request ends.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Whether it is of HTTP/1.0.
    pub(super) is_http_10: bool,
    /// `Content-Length`.
    pub(super) length: Option<u64>,
    /// Whether there is a `Transfer-Encoding`.
    pub(super) is_chunked: bool,
    /// Whether there is a `Host`.
    pub(super) has_host: bool,
}

impl Head {
    /// Reads one field more.
    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (name, value) = split(line)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self) -> Result<(), Fault> {
        match std::mem::replace(&mut self.has_host, true) {
            true => Err(Fault::RepeatedHost),
            false => Ok(()),
        }
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let length = digits.and_then(|text| text.parse().ok()).ok_or(Fault::BadLength)?;
        match self.length.replace(length) {
            Some(_) => Err(Fault::RepeatedLength),
            None => Ok(()),
        }
    }

    fn encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        let is_repeated = std::mem::replace(&mut self.is_chunked, true);
        let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
        let mut codings = value.rsplit(|byte| *byte == b',');
        let is_last_chunked = codings.next().is_some_and(is_chunked);
        match (is_last_chunked && !is_repeated, codings.next()) {
            (true, None) => Ok(()),
            // Source: RFC 9112 section 6.1.
            (true, Some(other)) if !is_chunked(other) && !codings.any(is_chunked) => {
                Err(Fault::UnknownCoding)
            }
            _ => Err(Fault::BadEncoding),
        }
    }
}

/// The name and the value of the field in `line`.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Fault::FoldedField);
    }
    let colon = memchr::memchr(b':', line).ok_or(Fault::NotAField)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || name.ends_with(b" ") || name.ends_with(b"\t") {
        return Err(Fault::NotAField);
    }
    Ok((name, value))
}
