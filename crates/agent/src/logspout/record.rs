//! Making log records of what containers print.

use deis_api::internal::LogRecord;
use deis_model::ContainerName;

use super::joiner::{LINE_LIMIT, WholeLine};

/// What a text that was cut ends in.
const CUT: &str = "...";

/// The record of one line of a container. Bytes that are not UTF-8 are replaced.
pub(super) fn record(name: &ContainerName, line: WholeLine) -> LogRecord {
    let mut text = String::from_utf8(line.bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    // Replacing makes a text longer.
    if line.is_cut || text.len() > LINE_LIMIT {
        text.truncate(text.floor_char_boundary(LINE_LIMIT - CUT.len()));
        text.push_str(CUT);
    }
    LogRecord { app: name.workload.app.to_string(), source: name.short(), timestamp: line.timestamp, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], is_cut: bool) -> String {
        let name = ContainerName::parse("blog_v2.web.1").expect("valid");
        let made = record(&name, WholeLine { timestamp: 7, bytes: bytes.to_vec(), is_cut });
        assert_eq!((made.app.as_str(), made.source.as_str(), made.timestamp), ("blog", "web.1", 7));
        made.text
    }

    #[test]
    fn any_bytes_make_a_text() {
        assert_eq!(text(b"hello", false), "hello");
        assert_eq!(text(b"caf\xe9", false), "caf\u{fffd}");
        assert_eq!(text(&[b'x'; LINE_LIMIT], false), "x".repeat(LINE_LIMIT));
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(text(&[b'x'; LINE_LIMIT], true), format!("{}...", "x".repeat(LINE_LIMIT - 3)));
        let replaced = text(&[0xff; LINE_LIMIT], false);
        assert!(replaced.len() <= LINE_LIMIT && replaced.ends_with("\u{fffd}..."));
        let accented = text(
            &"x".chars().chain(std::iter::repeat_n('é', LINE_LIMIT)).collect::<String>().as_bytes()
                [..LINE_LIMIT],
            true,
        );
        assert!(accented.len() <= LINE_LIMIT && accented.ends_with("é..."));
    }
}
