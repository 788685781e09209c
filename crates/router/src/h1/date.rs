//! The date of an answer, for apps that tell none. Source: RFC 9110 section 6.6.1.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;

thread_local! {
    static LINE: RefCell<Line> = const { RefCell::new(Line { second: 0, text: Vec::new(), value: HeaderValue::from_static("") }) };
}

/// The line of one second, written once.
struct Line {
    second: u64,
    text: Vec<u8>,
    /// The same for HTTP/2.
    value: HeaderValue,
}

/// Writes the field to `text`, as HTTP/1.1 has it.
pub(crate) fn write(text: &mut Vec<u8>) {
    with_line(|line| text.extend_from_slice(&line.text));
}

/// The field's value.
pub(crate) fn value() -> HeaderValue {
    with_line(|line| line.value.clone())
}

fn with_line<T>(take: impl FnOnce(&Line) -> T) -> T {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LINE.with_borrow_mut(|line| {
        if line.second != second {
            let date = httpdate::HttpDate::from(now).to_string();
            line.second = second;
            line.text = [b"Date: ", date.as_bytes(), b"\r\n"].concat();
            line.value = HeaderValue::try_from(date).expect("a date is valid in a header");
        }
        take(line)
    })
}
