//! The host that a request is for, in the one spelling the table uses.

use idna::AsciiDenyList;

/// The longest host name, as in DNS.
const LONGEST: usize = 255;

/// A host name in lower case without port and final dot. Lives on the stack.
#[derive(Clone, Copy)]
pub(crate) struct Host {
    bytes: [u8; LONGEST],
    length: usize,
}

/// A text that names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its Host is not a host name or address")]
pub(crate) struct HostError;

impl Default for Host {
    /// The empty one.
    fn default() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }
}

impl Host {
    /// Parses `name[:port]`, where the name may be an IPv6 address in brackets, which are kept. May be empty. A name in
    /// other letters than ASCII's is taken for what it is in DNS: `xn--…`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, HostError> {
        if text.is_ascii() { Self::parse_ascii(text) } else { Self::parse_ascii(in_ascii(text)?.as_bytes()) }
    }

    fn parse_ascii(text: &[u8]) -> Result<Self, HostError> {
        let name = without_port(text)?;
        let name = name.strip_suffix(b".").unwrap_or(name);
        let mut host = Self { bytes: [0; LONGEST], length: name.len() };
        let bytes = host.bytes.get_mut(..name.len()).ok_or(HostError)?;
        // Every label has letters: `a..` would else be `a.`, and that `a`, when it is read again.
        let mut before = b'.';
        for (to, from) in bytes.iter_mut().zip(name) {
            if (before, *from) == (b'.', b'.') {
                return Err(HostError);
            }
            before = *from;
            *to = from.to_ascii_lowercase();
        }
        if before == b'.' && !name.is_empty() { Err(HostError) } else { Ok(host) }
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("only ASCII passes the parser")
    }
}

/// Source: RFC 5890, UTS 46.
fn in_ascii(text: &[u8]) -> Result<String, HostError> {
    let text = std::str::from_utf8(text).map_err(|_| HostError)?;
    let name = text.find(':').map_or(text, |colon| &text[..colon]);
    // What stands for one of these characters in another script must not become part of an address.
    let ascii = idna::domain_to_ascii_cow(name.as_bytes(), AsciiDenyList::URL).map_err(|_| HostError)?;
    Ok(ascii.into_owned() + &text[name.len()..])
}

fn without_port(text: &[u8]) -> Result<&[u8], HostError> {
    if text.starts_with(b"[") {
        let end = memchr::memchr(b']', text).ok_or(HostError)?;
        let (name, port) = text.split_at(end + 1);
        let is_address = name[1..end].iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
        return if is_address && is_port(port) { Ok(name) } else { Err(HostError) };
    }
    let (name, port) = text.split_at(memchr::memchr(b':', text).unwrap_or(text.len()));
    let is_name = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if is_name && is_port(port) { Ok(name) } else { Err(HostError) }
}

/// Whether `text` is empty or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    text.is_empty() || (text.starts_with(b":") && text.len() <= 6 && text[1..].iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, HostError>) {
        let host = Host::parse(text.as_bytes());
        assert_eq!(host.as_ref().map(Host::as_str).map_err(|error| *error), expected, "{text:?}");
    }

    #[test]
    fn a_host_is_known_by_one_spelling() {
        check("blog.example.com", Ok("blog.example.com"));
        check("Blog.EXAMPLE.com", Ok("blog.example.com"));
        check("blog.example.com:8080", Ok("blog.example.com"));
        check("blog.example.com:", Ok("blog.example.com"));
        check("blog.example.com.", Ok("blog.example.com"));
        check("blog.example.com.:80", Ok("blog.example.com"));
        check("my_app.local", Ok("my_app.local"));
        check("127.0.0.1:80", Ok("127.0.0.1"));
        check("[::1]:8080", Ok("[::1]"));
        check("[FD00::A]", Ok("[fd00::a]"));
        check("", Ok(""));
        check("Blög.example.com:80", Ok("xn--blg-tna.example.com"));
        check("xn--blg-tna.EXAMPLE.com", Ok("xn--blg-tna.example.com"));
        check("b\u{fc}cher.example。com", Ok("xn--bcher-kva.example.com"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "a b",
            "a/b",
            "user@a",
            "a:b",
            "a:80:80",
            "a:999999",
            "::1",
            "[::1",
            "[a/b]",
            "[::1]x",
            "ü\u{202e}.example.com",
            "ü/b",
            "ü:x",
            "ü\u{ff1a}80",
            "a..",
            "a..b",
            ".a",
        ] {
            check(text, Err(HostError));
        }
        check(&"a".repeat(256), Err(HostError));
    }
}
