//! Making what a client sent harmless: in a log it cannot end a field or a line, nor steer a terminal.

use std::io::Write;

/// More of one field is not told: some are as long as a client likes.
const LONGEST: usize = 4096;

/// Appends `bytes` for a place between double quotes, as nginx does: what is not a printable ASCII character, and
/// quotes and backslashes, as `\xHH`. Nothing at all is a dash.
pub(super) fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() {
        out.push(b'-');
    }
    escape(bytes, |byte| matches!(byte, b'"' | b'\\' | ..0x20 | 0x7f..), out);
}

/// The same for a place between blanks.
pub(super) fn bare(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() {
        out.push(b'-');
    }
    escape(bytes, |byte| matches!(byte, b'"' | b'\\' | ..=0x20 | 0x7f..), out);
}

fn escape(bytes: &[u8], is_bad: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    // Nearly always all are good, and then they are taken over at once.
    if !bytes.iter().any(|byte| is_bad(*byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    for byte in bytes {
        match is_bad(*byte) {
            // Writing to memory cannot fail.
            true => drop(write!(out, "\\x{byte:02X}")),
            false => out.push(*byte),
        }
    }
}

/// Appends `bytes` as a JSON string. What is not UTF-8 is replaced; control characters, those of terminals beyond ASCII
/// too, are escaped.
pub(super) fn json(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    out.push(b'"');
    if bytes.iter().any(|byte| matches!(byte, b'"' | b'\\' | ..0x20 | 0x7f..)) {
        for character in String::from_utf8_lossy(bytes).chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                // Writing to memory cannot fail. Control characters are below U+10000: one unit of UTF-16.
                character if character.is_control() => drop(write!(out, "\\u{:04x}", u32::from(character))),
                character => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(escape: fn(&[u8], &mut Vec<u8>), bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        escape(bytes, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn nothing_ends_a_field_or_a_line() {
        check(quoted, b"Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)");
        check(quoted, b"a\"b\\c\r\nd", "a\\x22b\\x5Cc\\x0D\\x0Ad");
        check(quoted, "é\x1b[2J\x7f".as_bytes(), "\\xC3\\xA9\\x1B[2J\\x7F");
        check(quoted, b"", "-");
        check(bare, b"alice smith", "alice\\x20smith");
        check(bare, b"", "-");
    }

    #[test]
    fn a_field_is_only_so_long() {
        for escape in [quoted, bare, json] {
            let mut out = Vec::new();
            escape(&[b'x'; 2 * LONGEST], &mut out);
            assert!(out.len() <= LONGEST + 2);
        }
    }

    #[test]
    fn json_strings_hold_whatever_was_sent() {
        let tricky = ["", "plain", "\"},{\"", "line\r\n\t\u{0}", "\u{9b}2J\u{7f}", "\\u0041 é 🦀"];
        for text in tricky {
            let mut out = Vec::new();
            json(text.as_bytes(), &mut out);
            assert!(out.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f), "{text:?}");
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
        check(json, b"\xff\xfe", "\"\u{fffd}\u{fffd}\"");
        check(json, "\u{9b}".as_bytes(), "\"\\u009b\"");
    }
}
