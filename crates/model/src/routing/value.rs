//! How the values of settings are written: switches, durations, sizes, numbers, lists.

use std::time::Duration;

/// The longest time that can be set.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What a value has to be, said to whoever set another one: "it must be …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Must(pub(super) String);

impl Must {
    pub(super) fn be(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// `on` or `off`, and the other words for them.
pub(super) fn switch(text: &str) -> Result<bool, Must> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(Must::be("on or off")),
    }
}

/// A time as nginx writes it: `1300` (in `unit`), `10s`, `20m`, `1h`, `500ms`.
pub(super) fn time(text: &str, unit: Duration) -> Result<Duration, Must> {
    let must = || Must::be("a time above 0 and up to a day, like 500ms, 30s, 20m or 1h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => unit,
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(60 * 60),
        "d" => LONGEST,
        _ => return Err(must()),
    };
    let time = number::<u32>(digits).and_then(|count| unit.checked_mul(count)).ok_or_else(must)?;
    if time.is_zero() || time > LONGEST { Err(must()) } else { Ok(time) }
}

/// A time in seconds if no unit is given.
pub(super) fn seconds(text: &str) -> Result<Duration, Must> {
    time(text, Duration::from_secs(1))
}

/// A time in seconds if no unit is given; 0: none at all.
pub(super) fn seconds_or_none(text: &str) -> Result<Duration, Must> {
    match text {
        "0" | "0s" | "0ms" => Ok(Duration::ZERO),
        _ => seconds(text).map_err(|Must(must)| Must(format!("0, or {must}"))),
    }
}

/// A time in milliseconds if no unit is given.
pub(super) fn millis(text: &str) -> Result<Duration, Must> {
    time(text, Duration::from_millis(1))
}

/// A size as nginx writes it: `1048576`, `512k`, `1m`, `2g`.
pub(super) fn bytes(text: &str) -> Result<u64, Must> {
    let must = || Must::be("a size in bytes, like 1048576, 512k, 1m or 2g");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return Err(must()),
    };
    number::<u64>(digits).and_then(|count| count.checked_mul(unit)).ok_or_else(must)
}

/// A whole number within `range`.
pub(super) fn count(text: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, Must> {
    number(text)
        .filter(|count| range.contains(count))
        .ok_or_else(|| Must::be(format!("a whole number from {} to {}", range.start(), range.end())))
}

/// The same for a small one.
pub(super) fn small(text: &str, range: std::ops::RangeInclusive<u16>) -> Result<u16, Must> {
    let count = count(text, u32::from(*range.start())..=u32::from(*range.end()))?;
    Ok(u16::try_from(count).expect("it lies within a range of small numbers"))
}

/// What `text` stands for.
pub(super) fn word<T, const N: usize>(text: &str, words: [(&str, T); N]) -> Result<T, Must> {
    let names: Vec<_> = words.iter().map(|(name, _)| (*name).to_owned()).collect();
    let found = words.into_iter().find(|(name, _)| *name == text);
    found.map(|(_, meaning)| meaning).ok_or_else(|| Must::be(names.join(" or ")))
}

/// Puts a value that could be read in its `place`.
pub(super) fn put<T>(place: &mut T, value: Result<T, Must>) -> Result<(), Must> {
    *place = value?;
    Ok(())
}

/// A number of digits only: no sign, no blanks.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// The parts of a list with commas, without blanks around them; empty parts do not count.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Whether `text` is a token as names of headers and methods are. Source: RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// The value of a header: visible ASCII, blanks and tabs inside. Source: RFC 9110 section 5.5.
pub(super) fn header_value(text: &str) -> Result<String, Must> {
    let text = text.trim_matches([' ', '\t']);
    let fits = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    match fits && text.len() <= LONGEST_HEADER {
        true => Ok(text.to_owned()),
        false => {
            Err(Must::be(format!("at most {LONGEST_HEADER} printable ASCII characters, without line ends")))
        }
    }
}

/// The longest value of a header that can be set, in bytes.
const LONGEST_HEADER: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(seconds(text).ok(), expected.map(Duration::from_millis), "{text:?}");
        };
        check("1300", Some(1_300_000));
        check("10s", Some(10_000));
        check("20m", Some(1_200_000));
        check("500ms", Some(500));
        check("24h", Some(86_400_000));
        for bad in ["", "0", "-1", "+1", "25h", "2d", "1 s", "1w", "s", "99999999999", "1.5s", "1ä"] {
            check(bad, None);
        }
        assert_eq!(millis("10000"), Ok(Duration::from_secs(10)));
        assert_eq!(seconds_or_none("0"), Ok(Duration::ZERO));
        assert_eq!(seconds_or_none("20m"), Ok(Duration::from_secs(1200)));
        assert!(seconds_or_none("").is_err() && seconds_or_none("-0").is_err());
    }

    #[test]
    fn sizes_have_units() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(bytes(text).ok(), expected, "{text:?}");
        check("1m", Some(1 << 20));
        check("512K", Some(512 << 10));
        check("2g", Some(2 << 30));
        check("0", Some(0));
        for bad in ["", "m", "-1m", "1mb", "99999999999999g", "1 m"] {
            check(bad, None);
        }
    }

    #[test]
    fn switches_have_several_words() {
        for (text, expected) in [("on", Some(true)), ("FALSE", Some(false)), ("maybe", None), ("", None)] {
            assert_eq!(switch(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_value_of_a_header_stays_on_its_line() {
        assert_eq!(header_value(" a b "), Ok("a b".to_owned()));
        for bad in ["a\r\nb: c", "ä", "\0", &"x".repeat(4097)] {
            assert!(header_value(bad).is_err(), "{bad:?}");
        }
    }
}
