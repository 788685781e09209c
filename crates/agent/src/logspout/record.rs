//! Making log records of what containers print.

use deis_api::internal::LogRecord;
use deis_model::ContainerName;
use deis_scheduler::OutputFrame;

/// The longest text of a record, in bytes; what is longer is cut.
///
/// Engines hand out lines in parts of at most 16 KiB, so a longer line becomes several records.
pub(super) const TEXT_LIMIT: usize = 16 * 1024;

/// The record of one line of a container. Bytes that are not UTF-8 are replaced.
pub(super) fn record(name: &ContainerName, frame: &OutputFrame) -> LogRecord {
    let bytes = &frame.bytes[..frame.bytes.len().min(TEXT_LIMIT)];
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    // Replacing makes a text longer.
    text.truncate(text.floor_char_boundary(TEXT_LIMIT));
    LogRecord { app: name.workload.app.to_string(), source: name.short(), timestamp: frame.timestamp, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use deis_scheduler::OutputStream;

    fn text(bytes: &[u8]) -> String {
        let name = ContainerName::parse("blog_v2.web.1").expect("valid");
        let bytes = Bytes::copy_from_slice(bytes);
        let made = record(&name, &OutputFrame { stream: OutputStream::Stdout, timestamp: 7, bytes });
        assert_eq!((made.app.as_str(), made.source.as_str(), made.timestamp), ("blog", "web.1", 7));
        made.text
    }

    #[test]
    fn any_bytes_make_a_text_within_the_limit() {
        assert_eq!(text(b"hello"), "hello");
        assert_eq!(text(b"caf\xe9"), "caf\u{fffd}");
        assert_eq!(text(&[b'x'; 50_000]).len(), TEXT_LIMIT);
        assert!(text(&[0xff; 50_000]).len() <= TEXT_LIMIT);
    }
}
