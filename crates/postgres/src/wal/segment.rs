//! How far segments of the write-ahead log go.
//!
//! A segment is filled from its beginning. What comes after its end in a page is zeros; pages after that are zeros, or
//! remains of another segment whose file was used again, which their headers tell (PostgreSQL, `xlog_internal.h`).

/// Bytes of one page of the log, as PostgreSQL is built everywhere.
const PAGE: usize = 8192;
/// Where a page's header has the place of the page in the whole log.
const PLACE: std::ops::Range<usize> = 8..16;

/// How one segment's content compares with another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Both end at the same place.
    Equal,
    /// It goes on where the other ends.
    Longer,
    /// It ends where the other goes on.
    Shorter,
    /// They tell different things of the same place.
    Apart,
}

/// Compares `one` with `other`, two contents of the same name.
pub(super) fn extent(one: &[u8], other: &[u8]) -> Extent {
    let Some(place) = one.iter().zip(other).position(|(one, other)| one != other) else {
        return if one.len() == other.len() { Extent::Equal } else { Extent::Apart };
    };
    match (ends_before(one, place), ends_before(other, place)) {
        (true, true) => Extent::Equal,
        (false, true) => Extent::Longer,
        (true, false) => Extent::Shorter,
        (false, false) => Extent::Apart,
    }
}

/// Whether nothing is written in `segment` from `place` on.
fn ends_before(segment: &[u8], place: usize) -> bool {
    let start = place - place % PAGE;
    let page = &segment[start..segment.len().min(start + PAGE)];
    is_of_another(segment, start, page) || page[place - start..].iter().all(|byte| *byte == 0)
}

/// Whether the page at `start` is left from before the file was used for this segment.
fn is_of_another(segment: &[u8], start: usize, page: &[u8]) -> bool {
    let place = |page: &[u8]| page.get(PLACE).and_then(|bytes| bytes.try_into().ok()).map(u64::from_ne_bytes);
    match (place(segment), place(page)) {
        (Some(first), Some(found)) => found != first.wrapping_add(start as u64),
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A segment of four pages, written up to `end` bytes in the page `last`.
    pub(crate) fn segment(last: usize, end: usize) -> Vec<u8> {
        let mut segment = vec![0; 4 * PAGE];
        for (number, page) in segment.chunks_mut(PAGE).enumerate().take(last + 1) {
            page.fill(if number == last { 0 } else { 1 });
            page[..if number == last { end } else { PAGE }].fill(1);
            page[PLACE].copy_from_slice(&(0x0a00_0000 + (number * PAGE) as u64).to_ne_bytes());
        }
        segment
    }

    fn check(one: &[u8], other: &[u8], expected: Extent) {
        assert_eq!(extent(one, other), expected);
    }

    #[test]
    fn of_two_segments_the_longer_one_goes_on_where_the_other_ends() {
        let (short, long) = (segment(1, 100), segment(1, 200));
        check(&short, &short, Extent::Equal);
        check(&long, &short, Extent::Longer);
        check(&short, &long, Extent::Shorter);
        check(&segment(2, 50), &segment(1, PAGE), Extent::Longer);
    }

    #[test]
    fn remains_of_another_segment_are_not_taken_for_content() {
        let (mut reused, long) = (segment(1, 100), segment(2, 60));
        reused[2 * PAGE..3 * PAGE].fill(9);
        check(&long, &reused, Extent::Longer);
        check(&segment(1, 100), &reused, Extent::Equal);
    }

    #[test]
    fn segments_that_contradict_each_other_are_apart() {
        let mut other = segment(1, 200);
        other[PAGE + 150] = 7;
        check(&segment(1, 200), &other, Extent::Apart);
        check(&segment(1, 100)[..PAGE], &segment(1, 100), Extent::Apart);
    }
}
