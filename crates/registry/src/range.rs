//! The `Range` header of a request for a blob (RFC 9110, section 14).

use std::ops::Range;

/// Which part of a blob is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: no range, or one that need not be understood.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that it does not have.
    Outside,
}

/// Reads a `Range` header for a blob of `size` bytes. Several ranges at once are answered with the whole.
pub(crate) fn part(header: Option<&str>, size: u64) -> Part {
    let Some((first, last)) = header.and_then(parse) else {
        return Part::Whole;
    };
    let (start, end) = match (first, last) {
        (Some(first), Some(last)) if last < first => return Part::Whole,
        (Some(first), last) => (first, last.map_or(size, |last| last.saturating_add(1).min(size))),
        (None, Some(length)) => (size.saturating_sub(length), size),
        (None, None) => return Part::Whole,
    };
    if start < end { Part::Bytes(start..end) } else { Part::Outside }
}

fn parse(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    Some((number(first)?, number(last)?))
}

/// A number, or nothing written; nothing at all for anything else.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true if text.is_empty() => Some(None),
        true => text.parse().ok().map(Some),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        let check = |header, expected| assert_eq!(part(Some(header), 10), expected, "{header:?}");
        check("bytes=0-4", Part::Bytes(0..5));
        check("bytes=5-", Part::Bytes(5..10));
        check("bytes=5-100", Part::Bytes(5..10));
        check("bytes=-3", Part::Bytes(7..10));
        check("bytes=-100", Part::Bytes(0..10));
        check("bytes=0-18446744073709551615", Part::Bytes(0..10));
        check("bytes=10-", Part::Outside);
        check("bytes=-0", Part::Outside);
        for whole in ["bytes=5-4", "bytes=-", "bytes=0-1,3-4", "items=0-1", "bytes=x-1", "bytes=+1-2", ""] {
            check(whole, Part::Whole);
        }
        assert_eq!(part(None, 10), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), 0), Part::Outside);
    }
}
