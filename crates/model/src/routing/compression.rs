//! How answers are compressed, and what is set of that.

use super::setting::Setting;
use super::value::{Must, bytes, is_token, list, put, small, switch, word};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::both(
        "compression",
        "gzip",
        "off, or how answers may be compressed, best first: a list of gzip, br and zstd",
        |rules, value| put(&mut rules.compression.encodings, Compression::encodings(value)),
    ),
    Setting::both("gzip", "on", "off: takes gzip out of compression; on: takes it in", |rules, value| {
        rules.compression.set_gzip(switch(value)?);
        Ok(())
    }),
    Setting::both("gzipCompLevel", "5", "how hard gzip tries, 1 to 9", |rules, value| {
        let level = small(value, 1..=9)?;
        put(&mut rules.compression.level, u8::try_from(level).map_err(|_| Must::be("from 1 to 9")))
    }),
    Setting::both(
        "gzipHttpVersion",
        "1.1",
        "1.0: compresses for clients of HTTP/1.0, too",
        |rules, value| put(&mut rules.compression.for_http10, word(value, [("1.1", false), ("1.0", true)])),
    ),
    Setting::both("gzipMinLength", "256", "shorter answers stay as they are, in bytes", |rules, value| {
        put(&mut rules.compression.min_bytes, bytes(value))
    }),
    Setting::both(
        "gzipProxied",
        "any",
        "any, or off: not for requests that came through another proxy, as Via tells; nginx's other words are refused",
        |rules, value| put(&mut rules.compression.for_proxied, word(value, [("any", true), ("off", false)])),
    ),
    Setting::both(
        "gzipTypes",
        TYPES,
        "which media types are compressed, beside text/html; *: all",
        |rules, value| put(&mut rules.compression.types, Compression::types(value)),
    ),
    Setting::both(
        "gzipVary",
        "on",
        "on: caches are told by Vary that answers depend on the request",
        |rules, value| put(&mut rules.compression.vary, switch(value)),
    ),
];

/// A way to compress. Source: RFC 9110 section 8.4.1, RFC 7932, RFC 8878.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

/// Which answers are compressed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Those that may be used, best first; empty: none.
    pub encodings: Vec<Encoding>,
    /// How hard gzip tries, 1–9.
    pub level: u8,
    /// Shorter answers stay as they are, in bytes.
    pub min_bytes: u64,
    /// Which media types, in lower case, beside `text/html`; `*`: all.
    pub types: Vec<String>,
    /// Whether caches are told that it depends on the request, by `Vary`.
    pub vary: bool,
    /// Whether requests of HTTP/1.0 get compressed answers, too.
    pub for_http10: bool,
    /// Whether requests that came through another proxy (with `Via`) do, too.
    pub for_proxied: bool,
}

/// The media types of the original's router.
pub(super) const TYPES: &str = "application/atom+xml application/javascript application/json \
    application/rss+xml application/vnd.ms-fontobject application/x-font-ttf application/x-web-app-manifest+json \
    application/xhtml+xml application/xml font/opentype image/svg+xml image/x-icon text/css text/plain \
    text/x-component";

impl Encoding {
    /// Its name in `Content-Encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Gzip, Self::Brotli, Self::Zstd].into_iter().find(|encoding| encoding.as_str() == text)
    }
}

impl Compression {
    /// Parses a list with commas, best first; `off` is none.
    pub(super) fn encodings(text: &str) -> Result<Vec<Encoding>, Must> {
        let must = || Must::be("off, or a list of gzip, br and zstd, best first");
        if text == "off" {
            return Ok(Vec::new());
        }
        let encodings: Option<Vec<_>> = list(text).map(Encoding::parse).collect();
        encodings.filter(|encodings| !encodings.is_empty()).ok_or_else(must)
    }

    /// Takes gzip in as the last choice, or out.
    pub(super) fn set_gzip(&mut self, is_on: bool) {
        match (is_on, self.encodings.contains(&Encoding::Gzip)) {
            (true, false) => self.encodings.push(Encoding::Gzip),
            (false, _) => self.encodings.retain(|encoding| *encoding != Encoding::Gzip),
            (true, true) => {}
        }
    }

    /// Parses media types with blanks or commas between them.
    pub(super) fn types(text: &str) -> Result<Vec<String>, Must> {
        let types = text.split([' ', ',', '\t']).filter(|part| !part.is_empty());
        let is_type =
            |text: &str| text == "*" || text.split_once('/').is_some_and(|(a, b)| is_token(a) && is_token(b));
        let checked = types.map(|text| is_type(text).then(|| text.to_ascii_lowercase()));
        checked
            .take(256)
            .collect::<Option<_>>()
            .ok_or_else(|| Must::be("media types, like text/css text/plain"))
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            encodings: vec![Encoding::Gzip],
            level: 5,
            min_bytes: 256,
            types: TYPES.split(' ').filter(|text| !text.is_empty()).map(str::to_owned).collect(),
            vary: true,
            for_http10: false,
            for_proxied: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_come_in_an_order_of_preference() {
        assert_eq!(Compression::encodings("br, gzip"), Ok(vec![Encoding::Brotli, Encoding::Gzip]));
        assert_eq!(Compression::encodings("off"), Ok(vec![]));
        for bad in ["", "deflate", "gzip,off", "GZIP"] {
            assert!(Compression::encodings(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn gzip_can_be_switched_by_itself() {
        let mut compression = Compression { encodings: vec![Encoding::Brotli], ..Compression::default() };
        compression.set_gzip(true);
        compression.set_gzip(true);
        assert_eq!(compression.encodings, [Encoding::Brotli, Encoding::Gzip]);
        compression.set_gzip(false);
        assert_eq!(compression.encodings, [Encoding::Brotli]);
    }

    #[test]
    fn types_are_media_types() {
        assert_eq!(Compression::default().types.len(), 15);
        assert_eq!(Compression::types("text/css  TEXT/plain").unwrap(), ["text/css", "text/plain"]);
        assert!(Compression::types("css").is_err() && Compression::types("a/b\"").is_err());
    }
}
