//! Host names: one spelling for each, and none that could be taken for another.

use crate::host::Host;

pub(super) fn check(bytes: &[u8]) {
    let Ok(host) = Host::parse(bytes) else { return };
    let name = host.as_str();
    assert!(name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()), "{name:?}");
    assert!(!name.ends_with('.') && !name.contains(['/', '@', '#', '?', '\\', '%']), "{name:?}");
    assert!(
        name.starts_with('[') || name.split('.').all(|label| !label.is_empty()) || name.is_empty(),
        "{name:?}"
    );
    let again = Host::parse(name.as_bytes()).expect("what was read once reads again");
    assert_eq!(again.as_str(), name);
    if bytes.is_ascii() {
        let text = std::str::from_utf8(bytes).expect("ASCII is text").to_ascii_lowercase();
        let rest = text.strip_prefix(name).expect("nothing but its letters' case changes");
        let port = rest.strip_prefix('.').unwrap_or(rest);
        assert!(
            port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()))
        );
    }
}
