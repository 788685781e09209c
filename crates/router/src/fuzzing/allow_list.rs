//! Lists of addresses: the quick search finds what a look at each entry finds.

use std::net::IpAddr;

use deis_model::routing::{AppSettings, Cidr, MeshSettings};

/// One entry in a line, each checked to be in the list or not by its own.
pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let entries: Vec<&str> = text.lines().take(64).filter(|line| !line.contains(',')).collect();
    let ranges: Vec<Cidr> = entries.iter().filter_map(|entry| entry.parse().ok()).collect();
    let plain: Vec<&str> = entries.iter().copied().filter(|entry| entry.parse::<Cidr>().is_ok()).collect();
    let settings = [("whitelist".to_owned(), plain.join(","))].into();
    let settings = AppSettings::parse(&settings).expect("every entry is a range");
    let rules = MeshSettings::default().rules(&settings);
    let near = entries.iter().filter_map(|entry| entry.split('/').next()?.trim().parse::<IpAddr>().ok());
    for address in near.flat_map(around) {
        let is_listed = ranges.iter().any(|range| range.contains(address));
        assert_eq!(rules.allowance.own.contains(address), is_listed, "{address} in {plain:?}");
        assert_eq!(rules.allowance.permits(address), is_listed || plain.is_empty());
    }
    // With labels or without, in brackets or without, nothing panics.
    let _ = AppSettings::read(&[("whitelist".to_owned(), text.to_owned())].into());
}

/// `address`, the ones next to it, and the same in the other spelling.
fn around(address: IpAddr) -> Vec<IpAddr> {
    match address {
        IpAddr::V4(four) => {
            let near = [four.to_bits(), four.to_bits().wrapping_sub(1), four.to_bits().wrapping_add(1)];
            let mapped = four.to_ipv6_mapped().into();
            near.into_iter().map(|bits| IpAddr::V4(bits.into())).chain([mapped]).collect()
        }
        IpAddr::V6(six) => {
            let near = [six.to_bits(), six.to_bits().wrapping_sub(1), six.to_bits().wrapping_add(1)];
            near.into_iter().map(|bits| IpAddr::V6(bits.into())).collect()
        }
    }
}
