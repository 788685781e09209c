//! A line as web servers write it, which every log reader knows; what only we know follows at its end.
//!
//! ```text
//! client - user [time] "request" status bytes "referer" "agent" "host" app release endpoint first-byte whole id tls
//! ```

use std::io::Write;

use super::Line;
use super::escape::{bare, quoted};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends `line` without an end. Writing to memory cannot fail.
pub(super) fn write(line: &Line<'_>, out: &mut Vec<u8>) {
    bare(line.client, out);
    out.extend_from_slice(b" - ");
    bare(&line.user(), out);
    time(line, out);
    out.extend_from_slice(b" \"");
    quoted(line.method, out);
    out.push(b' ');
    quoted(line.target, out);
    let _ = write!(out, " {}\" {} {} \"", line.protocol(), line.exchange.status.as_u16(), line.exchange.sent);
    quoted(line.referer, out);
    out.extend_from_slice(b"\" \"");
    quoted(line.agent, out);
    out.extend_from_slice(b"\" \"");
    quoted(line.host, out);
    let _ = write!(out, "\" {} ", line.app.map_or("-", |app| app.as_str()));
    place(line, out);
    let _ = write!(
        out,
        " {:.6} {:.6} ",
        line.exchange.first_byte.as_secs_f64(),
        line.exchange.whole.as_secs_f64()
    );
    bare(line.request_id, out);
    out.push(b' ');
    bare(line.tls.as_bytes(), out);
}

fn time(line: &Line<'_>, out: &mut Vec<u8>) {
    let (date, time) = (line.at.date(), line.at.time());
    let month = MONTHS.get(usize::from(u8::from(date.month())) - 1).unwrap_or(&"");
    let (hour, minute, second) = time.as_hms();
    let _ =
        write!(out, " [{:02}/{month}/{}:{hour:02}:{minute:02}:{second:02} +0000]", date.day(), date.year());
}

fn place(line: &Line<'_>, out: &mut Vec<u8>) {
    let _ = match (line.release, line.endpoint) {
        (Some(release), Some(endpoint)) => write!(out, "{release} {endpoint}"),
        (Some(release), None) => write!(out, "{release} -"),
        (None, Some(endpoint)) => write!(out, "- {endpoint}"),
        (None, None) => write!(out, "- -"),
    };
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::{bare, full};
    use super::*;
    use deis_model::AppId;

    fn check(line: &Line<'_>, expected: &str) {
        let mut out = Vec::new();
        write(line, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn everything_has_its_place() {
        check(
            &full(&AppId::parse("blog").unwrap()),
            "203.0.113.9 - alice [03/Nov/2026:02:04:05 +0000] \"GET /a?b=c HTTP/1.1\" 200 1024 \
             \"https://example.com/\" \"curl/8\" \"blog.example.com\" blog v3 10.0.0.1:5000 0.012345 0.023456 0af7 TLSv1.3",
        );
    }

    #[test]
    fn what_is_missing_is_a_dash_and_nothing_can_be_forged() {
        check(
            &bare(),
            "203.0.113.9 - - [03/Nov/2026:02:04:05 +0000] \"GET / HTTP/2.0\" 404 0 \
             \"-\" \"\\x22 200 \\x0A1.2.3.4\" \"-\" - - - 0.000000 0.000000 0af7 -",
        );
    }
}
