//! Who may come in: lists of addresses.

use std::net::IpAddr;

use super::cidr::{Cidr, CidrError};
use super::value::{Must, list};

/// Addresses and ranges, each possibly with a label: `10.0.1.0/24:office,1.2.3.4,[2001:db8::/32]:home`.
///
/// A colon begins the label, so an IPv6 address with a label stands in brackets; without one it needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    /// Ascending, without overlaps: the first and the last address of each.
    ranges: Vec<(IpAddr, IpAddr)>,
}

/// Who may reach a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Whether nobody may at all: what guards the service cannot be read.
    pub is_closed: bool,
    /// Whether nobody may who is not listed, even if no list has any entry.
    pub is_enforced: bool,
    /// Whether the list of the service stands in for the mesh's, rather than next to it.
    pub overrides: bool,
    /// The list of the service.
    pub own: AllowList,
    /// The mesh's.
    pub mesh: AllowList,
}

impl AllowList {
    /// Parses a list with commas.
    pub(super) fn parse(text: &str) -> Result<Self, Must> {
        let ranges =
            list(text).map(|entry| range(entry).map(|range| range.bounds()).map_err(|_| must(entry)));
        let mut ranges = ranges.collect::<Result<Vec<_>, Must>>()?;
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1;
            kept.1 = if joins { kept.1.max(next.1) } else { kept.1 };
            joins
        });
        Ok(Self { ranges })
    }

    /// Whether `address` is on it. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let after = self.ranges.partition_point(|(first, _)| *first <= address);
        after.checked_sub(1).is_some_and(|index| address <= self.ranges[index].1)
    }

    /// Whether nothing is on it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl Allowance {
    /// Whether everybody may.
    pub fn is_open(&self) -> bool {
        !self.is_closed && !self.is_enforced && self.own.is_empty() && self.mesh.is_empty()
    }

    /// Whether a client at `address` may.
    pub fn permits(&self, address: IpAddr) -> bool {
        let counts_mesh = !self.overrides || self.own.is_empty();
        let is_listed = || self.own.contains(address) || (counts_mesh && self.mesh.contains(address));
        !self.is_closed && (self.is_open() || is_listed())
    }
}

fn must(entry: &str) -> Must {
    Must::be(format!(
        "a list like 10.0.1.0/24:office,1.2.3.4,[2001:db8::1]:home; {entry:?} is no address or range in it"
    ))
}

/// One entry without its label.
fn range(entry: &str) -> Result<Cidr, CidrError> {
    let error = || CidrError::new(entry);
    if let Some(rest) = entry.strip_prefix('[') {
        let (inner, rest) = rest.split_once(']').ok_or_else(error)?;
        let (prefix, label) = rest.split_once(':').unwrap_or((rest, ""));
        return if is_label(label) { format!("{inner}{prefix}").parse() } else { Err(error()) };
    }
    if let Ok(range) = entry.parse() {
        return Ok(range);
    }
    let (range, label) = entry.split_once(':').ok_or_else(error)?;
    if is_label(label) { range.parse().map_err(|_| error()) } else { Err(error()) }
}

fn is_label(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() && !matches!(c, '[' | ']' | ','))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, allowed: &[&str], refused: &[&str]) {
        let list = AllowList::parse(text).unwrap();
        for address in allowed {
            assert!(list.contains(address.parse().unwrap()), "{address} in {text}");
        }
        for address in refused {
            assert!(!list.contains(address.parse().unwrap()), "{address} not in {text}");
        }
    }

    #[test]
    fn a_list_has_addresses_ranges_and_labels() {
        check(
            "10.0.1.0/24:office, 1.2.3.4",
            &["10.0.1.7", "1.2.3.4", "::ffff:1.2.3.4"],
            &["10.0.2.1", "1.2.3.5", "::1"],
        );
        check("1.2.3.4:home office", &["1.2.3.4"], &["1.2.3.3"]);
        check(
            "2001:db8::/32,[fd00::1]:home,[fe80::]/64:lan,[fc00::/16]",
            &["2001:db8::5", "fd00::1", "fe80::1", "fc00::1"],
            &["fd00::2", "fe80:0:0:1::1", "fc01::1", "10.0.0.1"],
        );
        check("10.0.0.0/8,10.1.0.0/16,10.255.255.255,11.0.0.0", &["10.200.0.1", "11.0.0.0"], &["11.0.0.1"]);
        check("0.0.0.0/0", &["203.0.113.9"], &["2001:db8::1"]);
        check("::/0", &["2001:db8::1"], &["203.0.113.9"]);
        check("", &[], &["10.0.0.1"]);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["example.com", "10.0.0.0/33", "[::1", "[10.0.0.1]x", "10.0.0.1/8:a]b", "::1:office"] {
            assert!(AllowList::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_lists_of_mesh_and_app_add_up_or_the_apps_stands_alone() {
        let check = |is_enforced, overrides, own: &str, mesh: &str, address: &str, expected| {
            let (own, mesh) = (AllowList::parse(own).unwrap(), AllowList::parse(mesh).unwrap());
            let allowance = Allowance { is_enforced, overrides, own, mesh, ..Allowance::default() };
            assert_eq!(allowance.permits(address.parse().unwrap()), expected, "{address}: {allowance:?}");
        };
        check(false, false, "", "", "1.2.3.4", true);
        check(true, false, "", "", "1.2.3.4", false);
        check(false, false, "1.2.3.4", "", "1.2.3.4", true);
        check(false, false, "1.2.3.4", "", "1.2.3.5", false);
        check(false, false, "1.2.3.4", "10.0.0.0/8", "10.0.0.1", true);
        check(false, true, "1.2.3.4", "10.0.0.0/8", "10.0.0.1", false);
        check(false, true, "", "10.0.0.0/8", "10.0.0.1", true);
        check(true, false, "", "10.0.0.0/8", "10.0.0.1", true);
    }
}
