//! Versions of HTTP that are not spoken over a connection of HTTP/1. Source: RFC 9112 section 2.3.

/// What a request line says of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// That it is one of HTTP, and of another age.
    Foreign,
    /// As far as there is a line: it may turn out to be one.
    Unknown,
    /// Anything else.
    Other,
}

impl Version {
    /// What `bytes`, which no reader of HTTP/1 takes for a request, begin with.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let end = memchr::memchr(b'\n', bytes);
        let line = &bytes[..end.unwrap_or(bytes.len())];
        let mut words = line.splitn(3, |byte| *byte == b' ');
        match (words.next(), words.next(), words.next()) {
            // Whoever begins with this speaks HTTP/2. Source: RFC 9113 section 3.4.
            (Some(b"PRI"), ..) | (Some(b""), ..) | (_, Some(b""), _) => Self::Other,
            (_, _, Some(version)) if !may_be_foreign(version) => Self::Other,
            (_, _, Some(version)) if version.len() == FORM.len() => Self::Foreign,
            (_, _, Some(_)) if end.is_none() => Self::Unknown,
            _ => Self::Other,
        }
    }
}

/// How a version and the end of its line are written: `?` is any digit, `+` one of those that are not spoken.
const FORM: &[u8] = b"HTTP/+.?\r";

fn may_be_foreign(version: &[u8]) -> bool {
    let is_so = |(byte, form): (&u8, &u8)| match form {
        b'+' => matches!(byte, b'2'..=b'9'),
        b'?' => byte.is_ascii_digit(),
        exact => byte == exact,
    };
    version.len() <= FORM.len() && version.iter().zip(FORM).all(is_so)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_ages_are_told_from_what_is_none() {
        for (line, expected) in [
            ("GET / HTTP/2.0\r\n", Version::Foreign),
            ("GET / HTTP/3.0\r\nHost: a\r\n", Version::Foreign),
            ("BREW /pot HTTP/9.9\r\n", Version::Foreign),
            ("GET / HTTP/3", Version::Unknown),
            ("GET / HTTP/2.0", Version::Unknown),
            ("GET / HTTP/2\r\n", Version::Other),
            ("GET / HTTP/2.0\n", Version::Other),
            ("GET / HTTP/2.0 \r\n", Version::Other),
            ("GET / HTTP/2.00\r\n", Version::Other),
            ("GET / HTTP/1.2\r\n", Version::Other),
            ("GET / HTTP/0.9\r\n", Version::Other),
            ("GET / http/2.0\r\n", Version::Other),
            ("GET  HTTP/2.0\r\n", Version::Other),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version::Other),
            ("PRI * HTTP/2", Version::Other),
            ("", Version::Other),
        ] {
            assert_eq!(Version::of(line.as_bytes()), expected, "{line:?}");
        }
    }
}
