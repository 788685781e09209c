//! Names in certificates: `<host>.<role>.deis.internal`.

use sha2::{Digest, Sha256};

/// What every name ends with. Nobody resolves it: it only says who somebody is.
const DOMAIN: &str = "deis.internal";

/// The longest role.
const ROLE_BYTES: usize = 30;

/// The longest label (RFC 1035 section 2.3.4).
const LABEL_BYTES: usize = 63;

/// What labels begin with that stand for a host name that is none itself.
const ENCODED: &str = "x-";

/// How much of such a host name stays legible in its label.
const LEGIBLE_BYTES: usize = 28;

/// The domain below which all names of `role` are.
pub(super) fn role_domain(role: &str) -> String {
    format!("{role}.{DOMAIN}")
}

/// The role whose domain this is.
pub(super) fn role_of_domain(domain: &str) -> Option<&str> {
    domain.strip_suffix(DOMAIN)?.strip_suffix('.').filter(|role| is_role(role))
}

/// The name of `role` on `host`.
pub(super) fn full_name(host: &str, role: &str) -> String {
    format!("{}.{}", host_label(host), role_domain(role))
}

/// The host's label and the role in a full name.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    let (host, domain) = name.split_once('.')?;
    let role = role_of_domain(domain)?;
    is_label(host).then_some((host, role))
}

/// Whether `text` can be a role.
pub(super) fn is_role(text: &str) -> bool {
    is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= ROLE_BYTES
}

/// The label that stands for `host`: itself where it is a label, else what is legible of it and its digest. Two hosts
/// never have one label.
pub(super) fn host_label(host: &str) -> String {
    if is_label(host) && !host.starts_with(ENCODED) {
        return host.to_owned();
    }
    let legible = |c: char| if is_label_character(c) { c } else { '-' };
    let legible: String = host.to_lowercase().chars().map(legible).take(LEGIBLE_BYTES).collect();
    let digest = Sha256::digest(host.as_bytes());
    format!("{ENCODED}{legible}-{}", hex::encode(&digest[..16]))
}

fn is_label(text: &str) -> bool {
    let is_edge = |c: char| c == '-';
    !text.is_empty()
        && text.len() <= LABEL_BYTES
        && text.chars().all(is_label_character)
        && !text.starts_with(is_edge)
        && !text.ends_with(is_edge)
}

fn is_label_character(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_that_are_labels_stay_as_they_are() {
        for host in ["a", "node-1", "10", "xn--bcher-kva"] {
            assert_eq!(host_label(host), host);
        }
    }

    #[test]
    fn other_host_names_become_labels_of_their_own() {
        let long = "h".repeat(200);
        let hosts = ["", "a.example.com", "a_b", "a-", "A", "x-a", "bücher", "..", "*", &long];
        let labels: std::collections::BTreeSet<_> = hosts.iter().map(|host| host_label(host)).collect();
        assert_eq!(labels.len(), hosts.len());
        for label in labels {
            assert!(is_label(&label), "{label}");
        }
        assert!(host_label("a.example.com").starts_with("x-a-example-com-"));
    }

    #[test]
    fn a_name_is_one_host_of_one_role() {
        assert_eq!(split("a.router.deis.internal"), Some(("a", "router")));
        for name in [
            "router.deis.internal",
            "a.b.router.deis.internal",
            "*.router.deis.internal",
            "a.router.deis.internal.example.com",
            "a.routerdeis.internal",
            "a..deis.internal",
            "A.router.deis.internal",
            "",
        ] {
            assert_eq!(split(name), None, "{name}");
        }
    }
}
