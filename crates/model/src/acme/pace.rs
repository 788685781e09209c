//! How long is waited after failures.

use time::Duration;

/// After the first failure of a name. Let's Encrypt allows five failed validations of a name within an hour.
const NAME_PAUSE: Duration = Duration::minutes(15);
/// At most: a name that was pointed here yesterday has its certificate today.
const NAME_PAUSE_MAX: Duration = Duration::hours(24);
/// After the first failure of an authority, which has nothing to do with names.
const AUTHORITY_PAUSE: Duration = Duration::seconds(30);
/// At most.
const AUTHORITY_PAUSE_MAX: Duration = Duration::hours(1);

/// How long a name rests after it failed for the `failures`th time in a row.
pub fn name_pause(host: &str, failures: u32) -> Duration {
    doubled(NAME_PAUSE, NAME_PAUSE_MAX, failures) * (1.0 - spread(host, failures) / 4.0)
}

/// How long an authority is left alone after it failed for the `failures`th time in a row.
pub fn authority_pause(directory: &str, failures: u32) -> Duration {
    doubled(AUTHORITY_PAUSE, AUTHORITY_PAUSE_MAX, failures) * (1.0 - spread(directory, failures) / 4.0)
}

fn doubled(first: Duration, max: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (first * 2_i32.pow(doublings)).min(max)
}

/// A number from 0 to below 1 that differs from name to name, and stays the same.
pub(super) fn spread(name: &str, round: u32) -> f64 {
    let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = name.bytes().chain(round.to_le_bytes()).fold(0x811c_9dc5, fold);
    // The low bits of this hash differ too little among names of which only the first letters do.
    let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    f64::from(mixed ^ (mixed >> 12)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failures: u32, at_most: Duration) {
        let pause = name_pause("www.example.com", failures);
        assert!(pause <= at_most && pause >= at_most * 0.75, "{failures} failures: {pause}");
    }

    #[test]
    fn pauses_double_up_to_a_day() {
        check(1, Duration::minutes(15));
        check(2, Duration::minutes(30));
        check(5, Duration::hours(4));
        check(8, Duration::hours(24));
        check(u32::MAX, Duration::hours(24));
        assert!(authority_pause("https://ca", 1) <= Duration::seconds(30));
        assert!(authority_pause("https://ca", 40) > Duration::minutes(44));
    }

    #[test]
    fn names_are_spread() {
        let spreads: Vec<f64> = (0..1000).map(|number| spread(&format!("app-{number}.example"), 1)).collect();
        assert!(spreads.iter().all(|spread| (0.0..1.0).contains(spread)));
        for tenth in 0..10 {
            let tenth = f64::from(tenth) / 10.0;
            let within = spreads.iter().filter(|spread| (tenth..tenth + 0.1).contains(*spread)).count();
            assert!((50..200).contains(&within), "{within} of 1000 are in the tenth from {tenth}");
        }
    }
}
