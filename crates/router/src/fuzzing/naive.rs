//! A second reader of requests' heads, which takes what RFC 9112 says and nothing else, however slowly: what the quick
//! ones take must be the same to it.

/// The head of a request.
pub(crate) struct Head<'b> {
    /// As it came.
    pub(crate) method: &'b str,
    /// As it came.
    pub(crate) target: &'b str,
    /// Names in lower case; values without blanks around them.
    pub(crate) fields: Vec<(String, &'b [u8])>,
    /// Its length.
    pub(crate) head_bytes: usize,
}

impl<'b> Head<'b> {
    /// The head that `bytes` begin with, if it is one of HTTP/1.1. Source: RFC 9112 sections 2.1, 3 and 5.
    pub(crate) fn read(bytes: &'b [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text = &bytes[..end];
        let mut lines = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
            lines.push(&rest[..at]);
            rest = &rest[at + 2..];
        }
        lines.push(rest);
        if lines.iter().any(|line| line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))) {
            return None;
        }
        let mut lines = lines.into_iter();
        let words: Vec<&str> = std::str::from_utf8(lines.next()?).ok()?.split(' ').collect();
        let [method, target, "HTTP/1.1"] = words[..] else { return None };
        let fields = lines.map(field).collect::<Option<Vec<_>>>()?;
        let is_plain = is_token(method) && !target.is_empty();
        is_plain.then_some(Self { method, target, fields, head_bytes: end + 4 })
    }

    /// All values of a field.
    pub(crate) fn values(&self, name: &str) -> Vec<&'b [u8]> {
        self.fields.iter().filter(|(found, _)| found == name).map(|(_, value)| *value).collect()
    }

    /// The length of its body, if there is one way to see that and no coding. Source: RFC 9112 section 6.3.
    pub(crate) fn body_bytes(&self) -> Option<u64> {
        match (&self.values("content-length")[..], self.values("transfer-encoding").len()) {
            ([], 0) => Some(0),
            ([length], 0) if length.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(length).ok()?.parse().ok()
            }
            _ => None,
        }
    }
}

fn field(line: &[u8]) -> Option<(String, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(&line[..colon]).ok().filter(|name| is_token(name))?;
    let mut value = &line[colon + 1..];
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    let is_plain = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    is_plain.then(|| (name.to_ascii_lowercase(), value))
}

/// Source: RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
