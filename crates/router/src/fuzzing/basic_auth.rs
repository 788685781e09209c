//! Names and passwords in `Authorization`: the ones that were sent, whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::rules::parse_login;

/// The field's value; or, behind a colon, what a client means by one.
pub(super) fn check(bytes: &[u8]) {
    if let Some((user, password)) = parse_login(bytes) {
        assert!(!user.contains(&b':'));
        let field = [b"Basic ", STANDARD.encode([&user, &b":"[..], &password].concat()).as_bytes()].concat();
        assert_eq!(parse_login(&field), Some((user, password)));
    }
    let meant = format!("bAsIc  {} ", STANDARD.encode(bytes));
    let colon = bytes.iter().position(|byte| *byte == b':');
    let expected = colon.map(|colon| (bytes[..colon].to_vec(), bytes[colon + 1..].to_vec()));
    assert_eq!(parse_login(meant.as_bytes()), expected);
}
