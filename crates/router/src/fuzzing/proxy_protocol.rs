//! Headers of the PROXY protocol: understood or refused as early as may be, and what is written reads the same.

use deis_runtime::proxy_protocol::{Origin, Parsed, Version, encode, parse};

pub(super) fn check(bytes: &[u8]) {
    let whole = parse(bytes);
    for length in (0..bytes.len()).take(600) {
        match (parse(&bytes[..length]), whole) {
            (Ok(Parsed::Part), Ok(Parsed::Whole { length: needed, .. })) => assert!(length < needed),
            (Ok(Parsed::Part), _) => {}
            (early, _) => {
                assert_eq!(early, whole);
                break;
            }
        }
    }
    let Ok(Parsed::Whole { origin, length }) = whole else { return };
    assert!(length <= bytes.len() && parse(&bytes[..length]) == whole);
    if let Origin::Passed { source, destination } = origin {
        for version in [Version::One, Version::Two] {
            let header = encode(version, source, destination);
            assert_eq!(parse(&header), Ok(Parsed::Whole { origin, length: header.len() }));
        }
    }
}
