//! A record as it is kept, and as it is shown.

use deis_api::internal::LogRecord;
use deis_model::AppId;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// The longest text kept, in bytes; longer ones are cut and end in `...`.
pub(crate) const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The longest name of a source, in bytes.
const MAX_SOURCE_BYTES: usize = 128;

const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]UTC");

/// One line of an app's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// Unix time in nanoseconds.
    pub(crate) timestamp: i64,
    /// `web.1`, `deis-controller`.
    pub(crate) source: String,
    /// One line, at most [`MAX_TEXT_BYTES`].
    pub(crate) text: String,
}

impl Record {
    /// What can be kept of `wire`, and for which app; none if it names no app or no source.
    pub(crate) fn accept(wire: LogRecord) -> Option<(AppId, Self)> {
        let app = AppId::parse(&wire.app).ok()?;
        let named = is_source(&wire.source);
        named.then(|| {
            (app, Self { timestamp: wire.timestamp, source: wire.source, text: one_line(wire.text) })
        })
    }

    /// Appends the line that users see: `<time> <app>[<source>]: <text>`.
    pub(crate) fn show(&self, app: &AppId, into: &mut Vec<u8>) {
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.timestamp))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let time = time.format(TIMESTAMP).unwrap_or_default();
        for part in [time.as_str(), " ", app.as_str(), "[", &self.source, "]: ", &self.text, "\n"] {
            into.extend_from_slice(part.as_bytes());
        }
    }
}

fn is_source(text: &str) -> bool {
    let fits = (1..=MAX_SOURCE_BYTES).contains(&text.len());
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// `text` without line ends, which would make it look like several records.
fn one_line(text: String) -> String {
    let mut line = match text.contains(['\n', '\r']) {
        true => text.trim_end_matches(['\n', '\r']).replace("\r\n", " ").replace(['\n', '\r'], " "),
        false => text,
    };
    if line.len() > MAX_TEXT_BYTES {
        line.truncate(line.floor_char_boundary(MAX_TEXT_BYTES - 3));
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(app: &str, source: &str, text: &str) -> Option<Record> {
        let wire =
            LogRecord { app: app.to_owned(), source: source.to_owned(), timestamp: 0, text: text.to_owned() };
        Record::accept(wire).map(|(_, record)| record)
    }

    #[test]
    fn records_of_no_app_or_source_are_refused() {
        for (app, source) in
            [("../etc", "web.1"), ("Blog", "web.1"), ("blog", ""), ("blog", "a b"), ("", "web.1")]
        {
            assert_eq!(accept(app, source, "text"), None, "{app} {source}");
        }
    }

    #[test]
    fn a_text_becomes_one_line() {
        assert_eq!(accept("blog", "web.1", "a\r\nb\nc\n").unwrap().text, "a b c");
        assert_eq!(accept("blog", "web.1", "").unwrap().text, "");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = accept("blog", "web.1", &"é".repeat(MAX_TEXT_BYTES)).unwrap().text;
        assert!(text.len() <= MAX_TEXT_BYTES && text.ends_with("é..."), "{}", text.len());
    }

    #[test]
    fn a_line_shows_time_app_and_source() {
        let record =
            Record { timestamp: 1_462_354_260_123_456_789, source: "web.1".into(), text: "hi".into() };
        let mut line = Vec::new();
        record.show(&AppId::parse("blog").unwrap(), &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), "2016-05-04T09:31:00UTC blog[web.1]: hi\n");
    }
}
