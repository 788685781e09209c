//! How many requests a client may send.

use std::time::Duration;

use super::value::{Must, number};

/// A limit per client address; IPv6 addresses count by their first 64 bits, which is what one household has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// How many; none: any number.
    pub rate: Option<Rate>,
    /// How many may come at once after a while without any; none: as many as in the rate.
    pub burst: Option<u32>,
}

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which time.
    pub period: Duration,
}

impl RateLimit {
    /// The time that one request stands for, and how many may come at once; none if any number may.
    pub fn pace(&self) -> Option<(Duration, u32)> {
        let rate = self.rate?;
        Some((rate.period / rate.count.max(1), self.burst.unwrap_or(rate.count).max(1)))
    }
}

impl Rate {
    /// Parses `10` or `10r/s` (requests a second) or `30r/m` (a minute), as nginx writes it; 0 is any number.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Must> {
        let must = || {
            Must::be("requests a second or minute, like 10, 10r/s or 30r/m, at most 1000000; 0 is any number")
        };
        let (count, seconds) = match text.split_once('/') {
            Some((count, "s")) => (count.strip_suffix('r').ok_or_else(must)?, 1),
            Some((count, "m")) => (count.strip_suffix('r').ok_or_else(must)?, 60),
            Some(_) => return Err(must()),
            None => (text, 1),
        };
        let count: u32 = number(count).filter(|count| *count <= 1_000_000).ok_or_else(must)?;
        Ok((count > 0).then(|| Self { count, period: Duration::from_secs(seconds) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_requests_in_a_time() {
        let check = |text: &str, expected: Option<(u64, u32)>| {
            let limit = RateLimit { rate: Rate::parse(text).unwrap(), burst: None };
            let expected = expected.map(|(micros, burst)| (Duration::from_micros(micros), burst));
            assert_eq!(limit.pace(), expected, "{text}");
        };
        check("10", Some((100_000, 10)));
        check("10r/s", Some((100_000, 10)));
        check("30r/m", Some((2_000_000, 30)));
        check("0", None);
        for bad in ["", "-1", "1.5", "10/s", "10r/h", "1000001", "r/s", "10 r/s"] {
            assert!(Rate::parse(bad).is_err(), "{bad:?}");
        }
    }
}
