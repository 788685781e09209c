//! A line as web servers write it, which every log reader knows; what only we know follows at its end.
//!
//! ```text
//! client - user [time] "request" status bytes "referer" "agent" "host" app release endpoint first-byte whole id tls
//! ```

use std::io::Write;
use std::net::SocketAddr;

use super::escape::{bare, quoted};
use super::{Line, digits};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends `line` without an end. By hand, as every request leaves one and the general means cost as much as all the rest.
pub(super) fn write(line: &Line<'_>, out: &mut Vec<u8>) {
    bare(line.client, out);
    out.extend_from_slice(b" - ");
    bare(&line.user(), out);
    time(line, out);
    out.extend_from_slice(b" \"");
    quoted(line.method, out);
    out.push(b' ');
    quoted(line.target, out);
    put(out, &[b" ", line.protocol().as_bytes(), b"\" "]);
    digits::number(u64::from(line.exchange.status.as_u16()), out);
    out.push(b' ');
    digits::number(line.exchange.sent, out);
    out.extend_from_slice(b" \"");
    quoted(line.referer, out);
    out.extend_from_slice(b"\" \"");
    quoted(line.agent, out);
    out.extend_from_slice(b"\" \"");
    quoted(line.host, out);
    put(out, &[b"\" ", line.app.map_or("-", |app| app.as_str()).as_bytes(), b" "]);
    place(line, out);
    out.push(b' ');
    digits::seconds(line.exchange.first_byte, out);
    out.push(b' ');
    digits::seconds(line.exchange.whole, out);
    out.push(b' ');
    bare(line.request_id, out);
    out.push(b' ');
    bare(line.tls.as_bytes(), out);
}

fn time(line: &Line<'_>, out: &mut Vec<u8>) {
    let (date, time) = (line.at.date(), line.at.time());
    let month = MONTHS.get(usize::from(u8::from(date.month())) - 1).unwrap_or(&"");
    out.extend_from_slice(b" [");
    digits::two(date.day(), out);
    put(out, &[b"/", month.as_bytes(), b"/"]);
    digits::number(u64::from(date.year().unsigned_abs()), out);
    for part in [time.hour(), time.minute(), time.second()] {
        out.push(b':');
        digits::two(part, out);
    }
    out.extend_from_slice(b" +0000]");
}

fn place(line: &Line<'_>, out: &mut Vec<u8>) {
    match line.release {
        Some(release) => {
            out.push(b'v');
            digits::number(u64::from(release.number()), out);
        }
        None => out.push(b'-'),
    }
    out.push(b' ');
    match line.endpoint {
        Some(SocketAddr::V4(endpoint)) => {
            for (part, end) in endpoint.ip().octets().into_iter().zip(b"...:") {
                digits::number(u64::from(part), out);
                out.push(*end);
            }
            digits::number(u64::from(endpoint.port()), out);
        }
        // Writing to memory cannot fail.
        Some(endpoint @ SocketAddr::V6(_)) => drop(write!(out, "{endpoint}")),
        None => out.push(b'-'),
    }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
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
