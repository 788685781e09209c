//! Numbers in decimal digits.

use std::time::Duration;

/// As many as the largest number has.
const MOST: usize = 20;

/// Appends `number`.
pub(super) fn number(number: u64, out: &mut Vec<u8>) {
    padded(number, 1, out);
}

/// Appends `number` with two digits at least.
pub(super) fn two(number: u8, out: &mut Vec<u8>) {
    padded(u64::from(number), 2, out);
}

/// Appends `duration` in seconds, with six digits after the point.
pub(super) fn seconds(duration: Duration, out: &mut Vec<u8>) {
    number(duration.as_secs(), out);
    out.push(b'.');
    padded(u64::from(duration.subsec_micros()), 6, out);
}

fn padded(mut number: u64, least: usize, out: &mut Vec<u8>) {
    let (mut digits, mut start) = ([b'0'; MOST], MOST);
    while number > 0 {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
    out.extend_from_slice(&digits[start.min(MOST - least)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_are_written_as_everywhere() {
        for value in [0, 7, 10, 99, 100, 65_535, u64::MAX] {
            check(|out| number(value, out), &value.to_string());
        }
        check(|out| two(7, out), "07");
        check(|out| two(31, out), "31");
        check(|out| seconds(Duration::from_nanos(12_345_678_999), out), "12.345678");
        check(|out| seconds(Duration::ZERO, out), "0.000000");
    }
}
