//! Greetings of TLS: the host in one is never another one however it came, and once sure stays so.

use crate::passthrough::{Greeting, server_name};

pub(super) fn check(bytes: &[u8]) {
    let whole = server_name(bytes);
    for length in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let early = server_name(&bytes[..length]);
        assert!(early == Greeting::Part || early == whole, "{early:?} then {whole:?}");
    }
    let Greeting::For(host) = &whole else { return };
    assert!(host.len() < 256 && host.is_ascii() && !host.is_empty());
    for size in [60, 500] {
        let again = server_name(&in_records_of(size, bytes));
        // Malformed ones there are that the library takes whole and refuses in pieces. That leads to no other host.
        assert!(again == whole || again == Greeting::Other, "{again:?} in records of {size} bytes");
    }
}

/// The first message in other records: what follows it may not share one with it. Source: RFC 8446 section 5.1.
fn in_records_of(size: usize, mut bytes: &[u8]) -> Vec<u8> {
    let mut messages = Vec::new();
    let mut version = [3, 1];
    while let [22, major, minor, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        version = [*major, *minor];
        messages.extend_from_slice(&rest[..length]);
        bytes = &rest[length..];
    }
    if let [_, high, middle, low, ..] = messages[..] {
        messages.truncate(4 + usize::from(high) * 65_536 + usize::from(middle) * 256 + usize::from(low));
    }
    let record = |piece: &[u8]| {
        let length = u16::try_from(piece.len()).expect("it is short").to_be_bytes();
        [&[22][..], &version, &length, piece].concat()
    };
    messages.chunks(size).flat_map(record).collect()
}
