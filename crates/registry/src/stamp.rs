//! A name that is given once.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

/// A moment and a random number. Sorted as text, later ones come behind earlier ones.
///
/// Sixteen hex digits of microseconds since 1970, a dash, and 32 of the random number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp(String);

impl Stamp {
    /// A stamp of this moment, or one behind `last` if that comes from a process whose clock is ahead.
    pub(crate) fn behind(last: Option<&Self>) -> Self {
        Self::at(last.map_or(0, |last| last.micros() + 1).max(now()))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (moment, random) = text.split_once('-')?;
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        // A moment half an eternity away would leave no place behind it.
        let sound = hex(moment, 16) && hex(random, 32) && moment.starts_with('0');
        sound.then(|| Self(text.to_owned()))
    }

    fn at(micros: u64) -> Self {
        Self(format!("{micros:016x}-{}", Uuid::new_v4().simple()))
    }

    fn micros(&self) -> u64 {
        u64::from_str_radix(&self.0[..16], 16).expect("a stamp begins with sixteen hex digits")
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_behind_the_one_before() {
        let ahead = Stamp::at(now() + 1_000_000_000);
        assert!(Stamp::behind(Some(&ahead)) > ahead);
        assert!(Stamp::behind(None) < ahead);
    }

    #[test]
    fn a_stamp_is_read_back_and_nothing_else_is() {
        let stamp = Stamp::behind(None);
        assert_eq!(Stamp::parse(&stamp.to_string()), Some(stamp));
        let random = "0".repeat(32);
        for wrong in
            ["", "-", "0-0", &format!("f000000000000000-{random}"), &format!("000000000000000G-{random}")]
        {
            assert_eq!(Stamp::parse(wrong), None, "{wrong:?}");
        }
    }
}
