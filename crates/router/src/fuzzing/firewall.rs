//! The firewall: what it finds it finds however the same is written.

use http::header::HeaderName;

use crate::rules::head::Head;
use crate::rules::is_attack;

/// A request for this target without any fields.
struct Asking<'a>(&'a str);

impl Head for Asking<'_> {
    fn target(&self) -> &str {
        self.0
    }

    fn fields(&self, _: &HeaderName) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }
}

pub(super) fn check(bytes: &[u8]) {
    let Ok(target) = std::str::from_utf8(bytes) else { return };
    let found = is_attack(&Asking(target));
    assert_eq!(is_attack(&Asking(&target.to_ascii_uppercase())), found, "{target:?}");
    if found && target.len() < 1024 && !target.contains('%') {
        let once = escaped(target);
        assert!(is_attack(&Asking(&once)) && is_attack(&Asking(&escaped(&once))), "{target:?}");
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
