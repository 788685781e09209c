//! Greetings of TLS: the host in one is the same however it came, and once sure stays so.

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
        assert_eq!(server_name(&in_records_of(size, bytes)), whole, "in records of {size} bytes");
    }
}

/// The same messages in other records. Source: RFC 8446 section 5.1.
fn in_records_of(size: usize, mut bytes: &[u8]) -> Vec<u8> {
    let mut messages = Vec::new();
    let mut version = [3, 1];
    while let [22, major, minor, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        version = [*major, *minor];
        messages.extend_from_slice(&rest[..length]);
        bytes = &rest[length..];
    }
    let record = |piece: &[u8]| {
        let length = u16::try_from(piece.len()).expect("it is short").to_be_bytes();
        [&[22][..], &version, &length, piece].concat()
    };
    messages.chunks(size).flat_map(record).collect()
}
