//! A line as one JSON object. What is not known is left out.

use std::io::Write;

use super::Line;
use super::escape;

/// Appends `line` without an end. Writing to memory cannot fail.
pub(super) fn write(line: &Line<'_>, out: &mut Vec<u8>) {
    let (date, time) = (line.at.date(), line.at.time());
    let (hour, minute, second, millisecond) = time.as_hms_milli();
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let _ = write!(
        out,
        "{{\"time\":\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z\""
    );
    text("client", line.client, out);
    text("user", &line.user(), out);
    text("method", line.method, out);
    text("path", line.target, out);
    text("protocol", line.protocol().as_bytes(), out);
    number("status", line.exchange.status.as_u16(), out);
    number("received", line.exchange.received, out);
    number("bytes", line.exchange.sent, out);
    text("referer", line.referer, out);
    text("agent", line.agent, out);
    text("host", line.host, out);
    text("app", line.app.map_or("", |app| app.as_str()).as_bytes(), out);
    if let Some(release) = line.release {
        let _ = write!(out, ",\"release\":\"{release}\"");
    }
    if let Some(endpoint) = line.endpoint {
        let _ = write!(out, ",\"endpoint\":\"{endpoint}\"");
    }
    seconds("first_byte_seconds", line.exchange.first_byte, out);
    seconds("seconds", line.exchange.whole, out);
    text("request_id", line.request_id, out);
    text("tls", line.tls.as_bytes(), out);
    out.push(b'}');
}

fn text(name: &str, value: &[u8], out: &mut Vec<u8>) {
    if !value.is_empty() {
        let _ = write!(out, ",\"{name}\":");
        escape::json(value, out);
    }
}

fn number(name: &str, value: impl std::fmt::Display, out: &mut Vec<u8>) {
    let _ = write!(out, ",\"{name}\":{value}");
}

fn seconds(name: &str, value: std::time::Duration, out: &mut Vec<u8>) {
    let _ = write!(out, ",\"{name}\":{:.6}", value.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::{bare, full};
    use super::*;
    use deis_model::AppId;

    fn check(line: &Line<'_>, expected: serde_json::Value) {
        let mut out = Vec::new();
        write(line, &mut out);
        assert!(!out.contains(&b'\n'));
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), expected);
    }

    #[test]
    fn everything_has_a_name() {
        check(
            &full(&AppId::parse("blog").unwrap()),
            serde_json::json!({
                "time": "2026-11-03T02:04:05.067Z", "client": "203.0.113.9", "user": "alice", "method": "GET",
                "path": "/a?b=c", "protocol": "HTTP/1.1", "status": 200, "received": 3, "bytes": 1024,
                "referer": "https://example.com/", "agent": "curl/8", "host": "blog.example.com", "app": "blog",
                "release": "v3", "endpoint": "10.0.0.1:5000", "first_byte_seconds": 0.012345,
                "seconds": 0.023456, "request_id": "0af7", "tls": "TLSv1.3",
            }),
        );
    }

    #[test]
    fn what_is_missing_is_left_out() {
        check(
            &bare(),
            serde_json::json!({
                "time": "2026-11-03T02:04:05.000Z", "client": "203.0.113.9", "method": "GET", "path": "/",
                "protocol": "HTTP/2.0", "status": 404, "received": 0, "bytes": 0,
                "agent": "\" 200 \n1.2.3.4", "first_byte_seconds": 0.0, "seconds": 0.0, "request_id": "0af7",
            }),
        );
    }
}
