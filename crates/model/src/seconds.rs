//! Durations as operators set them: whole seconds, within a bound.

use std::str::FromStr;
use std::time::Duration;

/// Whole seconds from 0 to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds<const MOST: u32>(u32);

/// The longest that a step of a deploy may be told to take.
pub type WithinADay = Seconds<86_400>;

/// A text that is no such number. Whoever reports it names the setting and the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has to be a whole number of seconds from 0 to {most}")]
pub struct SecondsError {
    /// The highest that is possible.
    pub most: u32,
}

impl<const MOST: u32> Seconds<MOST> {
    /// The highest number that is possible.
    pub const MOST: u32 = MOST;

    /// `count` seconds, or as many as are possible.
    pub const fn at_most(count: u32) -> Self {
        Self(if count < MOST { count } else { MOST })
    }

    /// The same as a duration.
    pub const fn duration(self) -> Duration {
        // `u64::from` is not for constants.
        Duration::from_secs(self.0 as u64)
    }
}

impl<const MOST: u32> FromStr for Seconds<MOST> {
    type Err = SecondsError;

    fn from_str(text: &str) -> Result<Self, SecondsError> {
        let count = text.parse().ok().filter(|count| *count <= MOST);
        count.map(Self).ok_or(SecondsError { most: MOST })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        let parsed = text.parse::<Seconds<600>>().ok().map(|seconds| seconds.duration().as_secs());
        assert_eq!(parsed, expected, "{text:?}");
    }

    #[test]
    fn only_whole_seconds_within_the_bound_are_taken() {
        check("0", Some(0));
        check("600", Some(600));
        for other in ["601", "4294967296", "18446744073709551616", "-1", "1.5", "30s", "", " 30"] {
            check(other, None);
        }
    }

    #[test]
    fn who_breaks_the_bound_is_told_of_it() {
        let error = "900".parse::<Seconds<600>>().unwrap_err().to_string();
        assert_eq!(error, "it has to be a whole number of seconds from 0 to 600");
    }
}
