//! The date of an answer, for apps that tell none. Source: RFC 9110 section 6.6.1.

use std::cell::RefCell;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static LINE: RefCell<Line> = const { RefCell::new(Line { second: 0, text: Vec::new() }) };
}

/// The line of one second, written once.
struct Line {
    second: u64,
    text: Vec<u8>,
}

/// Writes the field to `text`.
pub(crate) fn write(text: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LINE.with_borrow_mut(|line| {
        if line.second != second {
            line.second = second;
            line.text.clear();
            // Writing to memory cannot fail.
            let _ = write!(line.text, "Date: {}\r\n", httpdate::HttpDate::from(now));
        }
        text.extend_from_slice(&line.text);
    });
}
