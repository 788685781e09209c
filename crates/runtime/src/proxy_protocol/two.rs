//! Version 2 of the PROXY protocol: 16 bytes, then as many as these say.

use std::net::{IpAddr, SocketAddr};

use super::{HeaderError, Origin, Parsed, canonical};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length of the rest.
const FIXED_BYTES: usize = 16;

/// The most that may follow: some proxies add a client's whole certificate, which nobody here looks at.
const LIMIT_BYTES: usize = 8 * 1024;

/// Of an `AF_UNIX` address.
const UNIX_BYTES: usize = 108;

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, HeaderError> {
    if bytes.iter().zip(SIGNATURE).any(|(found, expected)| found != expected) {
        return Err(HeaderError::Missing);
    }
    // What is wrong already is told at once; a connection that waits for more might wait in vain.
    let command = bytes.get(12).map(|byte| command(*byte)).transpose()?;
    let addresses = bytes.get(13).map(|byte| addresses(*byte)).transpose()?;
    let (Some(command), Some(addresses), Some(length)) = (command, addresses, bytes.get(14..16)) else {
        return Ok(Parsed::Part);
    };
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    if length > LIMIT_BYTES {
        return Err(HeaderError::TooLong { limit_bytes: FIXED_BYTES + LIMIT_BYTES });
    }
    let Some(rest) = bytes[FIXED_BYTES..].get(..length) else { return Ok(Parsed::Part) };
    let origin = match command {
        Command::Local => Origin::Own,
        Command::Proxy => passed(rest, addresses)?,
    };
    Ok(Parsed::Whole { origin, length: FIXED_BYTES + length })
}

#[derive(Clone, Copy)]
enum Command {
    Local,
    Proxy,
}

fn command(byte: u8) -> Result<Command, HeaderError> {
    match byte {
        0x20 => Ok(Command::Local),
        0x21 => Ok(Command::Proxy),
        _ => Err(HeaderError::Malformed("its version is not 2, or its command unknown")),
    }
}

/// How many bytes hold both addresses of this family, and whether they can be used.
#[derive(Clone, Copy)]
enum Addresses {
    Four,
    Six,
    Unusable { bytes: usize },
}

fn addresses(family_and_protocol: u8) -> Result<Addresses, HeaderError> {
    match family_and_protocol {
        0x11 => Ok(Addresses::Four),
        0x21 => Ok(Addresses::Six),
        0x12 => Ok(Addresses::Unusable { bytes: 12 }),
        0x22 => Ok(Addresses::Unusable { bytes: 36 }),
        0x31 | 0x32 => Ok(Addresses::Unusable { bytes: 2 * UNIX_BYTES }),
        // How long addresses are whose family or protocol is left open, nobody says.
        0x00..=0x02 | 0x10 | 0x20 | 0x30 => Ok(Addresses::Unusable { bytes: 0 }),
        _ => Err(HeaderError::Malformed("its family or protocol is unknown")),
    }
}

fn passed(rest: &[u8], addresses: Addresses) -> Result<Origin, HeaderError> {
    match addresses {
        Addresses::Four => of_ip::<4>(rest),
        Addresses::Six => of_ip::<16>(rest),
        Addresses::Unusable { bytes } if rest.len() < bytes => Err(SHORT),
        Addresses::Unusable { .. } => Ok(Origin::Own),
    }
}

const SHORT: HeaderError = HeaderError::Malformed("it is too short for its addresses");

fn of_ip<const N: usize>(rest: &[u8]) -> Result<Origin, HeaderError>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = rest.split_first_chunk::<N>().ok_or(SHORT)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(SHORT)?;
    let (source_port, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let (destination_port, extras) = rest.split_first_chunk().ok_or(SHORT)?;
    check(extras)?;
    let end = |address: &[u8; N], port: &[u8; 2]| {
        canonical(SocketAddr::new(IpAddr::from(*address), u16::from_be_bytes(*port)))
    };
    Ok(Origin::Passed { source: end(source, source_port), destination: end(destination, destination_port) })
}

/// What follows the addresses are entries of a type, a length and as many bytes. None is of use here.
fn check(mut extras: &[u8]) -> Result<(), HeaderError> {
    while !extras.is_empty() {
        let after = match *extras {
            [_, high, low, ref after @ ..] => after.get(usize::from(u16::from_be_bytes([high, low]))..),
            _ => None,
        };
        extras = after.ok_or(HeaderError::Malformed("an entry goes beyond its end"))?;
    }
    Ok(())
}

/// Both addresses are of one family.
pub(super) fn encode(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut rest = Vec::new();
    for end in [source, destination] {
        match end.ip() {
            IpAddr::V4(address) => rest.extend(address.octets()),
            IpAddr::V6(address) => rest.extend(address.octets()),
        }
    }
    rest.extend([source, destination].iter().flat_map(|end| end.port().to_be_bytes()));
    let family = if source.is_ipv4() { 0x11 } else { 0x21 };
    let length = u16::try_from(rest.len()).expect("at most 36 bytes");
    [SIGNATURE, &[0x21, family], &length.to_be_bytes(), &rest].concat()
}
