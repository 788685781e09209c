//! Version 1 of the PROXY protocol: one line of text, as `PROXY TCP4 203.0.113.9 10.0.0.1 56324 443`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{HeaderError, Origin, Parsed, canonical};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line there can be, with its end.
const LIMIT_BYTES: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, HeaderError> {
    if bytes.iter().zip(SIGNATURE).any(|(found, expected)| found != expected) {
        return Err(HeaderError::Missing);
    }
    let line = &bytes[..bytes.len().min(LIMIT_BYTES)];
    let Some(end) = line.iter().position(|byte| !(b' '..=b'~').contains(byte)) else {
        return if line.len() < LIMIT_BYTES { Ok(Parsed::Part) } else { Err(too_long()) };
    };
    match line[end..] {
        [b'\r', b'\n', ..] => {
            let text = std::str::from_utf8(&line[SIGNATURE.len()..end]);
            let origin = origin(text.map_err(|_| HeaderError::Malformed("it is not text"))?)?;
            Ok(Parsed::Whole { origin, length: end + 2 })
        }
        [b'\r'] if line.len() < LIMIT_BYTES => Ok(Parsed::Part),
        [b'\r'] => Err(too_long()),
        _ => Err(HeaderError::Malformed("its line ends in another way than CR LF")),
    }
}

fn too_long() -> HeaderError {
    HeaderError::TooLong { limit_bytes: LIMIT_BYTES }
}

/// What follows `PROXY `.
fn origin(text: &str) -> Result<Origin, HeaderError> {
    let (protocol, ends) = text.split_once(' ').unwrap_or((text, ""));
    match protocol {
        "TCP4" => passed::<Ipv4Addr>(ends),
        "TCP6" => passed::<Ipv6Addr>(ends),
        // What follows is to be ignored.
        "UNKNOWN" => Ok(Origin::Own),
        _ => Err(HeaderError::Malformed("its protocol is none of TCP4, TCP6 and UNKNOWN")),
    }
}

fn passed<A: FromStr + Into<IpAddr>>(ends: &str) -> Result<Origin, HeaderError> {
    let words: Vec<&str> = ends.split(' ').collect();
    let [source, destination, source_port, destination_port] = words[..] else {
        return Err(HeaderError::Malformed("it does not name two addresses and two ports"));
    };
    Ok(Origin::Passed {
        source: end::<A>(source, source_port)?,
        destination: end::<A>(destination, destination_port)?,
    })
}

fn end<A: FromStr + Into<IpAddr>>(address: &str, port: &str) -> Result<SocketAddr, HeaderError> {
    let parsed = address.parse::<A>();
    let address = parsed.map_err(|_| HeaderError::Malformed("an address is not of its protocol"))?;
    let is_plain = port.bytes().all(|byte| byte.is_ascii_digit()) && (port == "0" || !port.starts_with('0'));
    let port = if is_plain { port.parse().ok() } else { None };
    let port = port.ok_or(HeaderError::Malformed("a port is not a number from 0 to 65535"))?;
    Ok(canonical(SocketAddr::new(address.into(), port)))
}

/// Both addresses are of one family.
pub(super) fn encode(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
}
