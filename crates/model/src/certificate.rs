//! A certificate that a user uploaded, and which hosts certificates are for.

use time::OffsetDateTime;

/// A certificate as stored, without what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// A number, unique.
    pub id: i64,
    /// Who uploaded it.
    pub owner: String,
    /// What it is called. Unique on the platform.
    pub common_name: String,
    /// The host names that it is for, in lower case, sorted; the first label may be `*`.
    pub names: Vec<String>,
    /// The last second in which it is valid.
    pub expires: OffsetDateTime,
    /// When it was uploaded.
    pub created: OffsetDateTime,
    /// When it last changed.
    pub updated: OffsetDateTime,
}

/// Whether a certificate for `name` may be asked for at `host`, both in lower case.
///
/// A `*` of a certificate stands for one label (RFC 6125 section 6.4.3), one of a host for any names below it.
pub fn covers(name: &str, host: &str) -> bool {
    match (name.strip_prefix("*."), host.strip_prefix("*.")) {
        _ if name == host => true,
        (_, Some(above)) => name.strip_suffix(above).is_some_and(|below| below.ends_with('.')),
        (Some(above), None) => host.split_once('.').is_some_and(|(_, parent)| parent == above),
        (None, None) => false,
    }
}

/// The wildcards below which `host` is, the nearest first: `*.b.c` and `*.c` for `a.b.c`.
pub fn wildcards_above(host: &str) -> impl Iterator<Item = String> {
    let base = host.strip_prefix("*.").unwrap_or(host);
    let dots = base.match_indices('.').map(|(place, _)| place + 1);
    dots.map(move |start| format!("*.{}", &base[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_covers_what_its_name_says() {
        let check = |name: &str, host: &str, expected: bool| {
            assert_eq!(covers(name, host), expected, "{name} for {host}");
        };
        check("www.example.com", "www.example.com", true);
        check("www.example.com", "example.com", false);
        check("*.example.com", "www.example.com", true);
        check("*.example.com", "a.www.example.com", false);
        check("*.example.com", "example.com", false);
        check("*.example.com", "*.example.com", true);
        check("www.example.com", "*.example.com", true);
        check("*.www.example.com", "*.example.com", true);
        check("example.com", "*.example.com", false);
        check("wwwexample.com", "*.example.com", false);
        check("*.com", "*.example.com", false);
    }

    #[test]
    fn wildcards_above_a_host_leave_out_its_first_labels() {
        let check = |host: &str, expected: &[&str]| {
            assert_eq!(wildcards_above(host).collect::<Vec<_>>(), expected, "{host}");
        };
        check("a.b.example.com", &["*.b.example.com", "*.example.com", "*.com"]);
        check("*.example.com", &["*.com"]);
        check("localhost", &[]);
    }
}
