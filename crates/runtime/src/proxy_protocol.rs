//! The PROXY protocol: what a proxy in front says of a connection that it passes on, before the connection's own bytes.
//!
//! Whoever reads a header must know that its peer is such a proxy: anybody else could claim any address.
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, versions 1 and 2.

mod one;
mod two;

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// What is looked at at a time: more than proxies send without being told to send certificates.
const PIECE_BYTES: usize = 512;

/// What a header says of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is passed on between these ends. IPv4 addresses mapped into IPv6 are given as IPv4.
    Passed {
        /// Who opened it.
        source: SocketAddr,
        /// Whom they meant.
        destination: SocketAddr,
    },
    /// It is the proxy's own, a health check, or not of IP: the connection's own addresses count.
    Own,
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a header: all of them belong to it, and more is needed.
    Part,
    /// A header of `length` bytes; what follows is the connection's own.
    Whole {
        /// What it says.
        origin: Origin,
        /// How long it is.
        length: usize,
    },
}

/// How a header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    One,
    /// Binary.
    Two,
}

/// Bytes that are no header, or none that may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It begins with something else.
    #[error("the connection does not begin with a header of the PROXY protocol")]
    Missing,
    /// It does not end where it has to.
    #[error("the header of the PROXY protocol is longer than {limit_bytes} bytes")]
    TooLong {
        /// The most there may be.
        limit_bytes: usize,
    },
    /// It breaks a rule.
    #[error("the header of the PROXY protocol is malformed: {0}")]
    Malformed(&'static str),
}

/// Why no header was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What came is none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The connection broke or ended.
    #[error("failed to read the header of the PROXY protocol")]
    Broken(#[from] io::Error),
}

/// Looks for a header of either version at the beginning of `bytes`.
///
/// Never reads beyond it: as long as the answer is [`Parsed::Part`], all bytes belong to the header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, HeaderError> {
    match bytes.first() {
        None => Ok(Parsed::Part),
        Some(first) if *first == two::SIGNATURE[0] => two::parse(bytes),
        Some(_) => one::parse(bytes),
    }
}

/// The header of a connection from `source` to `destination`.
pub fn encode(version: Version, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (source, destination) = alike(source, destination);
    match version {
        Version::One => one::encode(source, destination),
        Version::Two => two::encode(source, destination),
    }
}

/// Whether a connection that begins with `byte` begins with a header, if it is one of SSH or TLS otherwise.
pub fn begins_with(byte: u8) -> bool {
    byte == one::SIGNATURE[0] || byte == two::SIGNATURE[0]
}

/// Reads the header that `stream` begins with, and nothing more. Takes as long as the peer does.
pub async fn read(stream: &mut TcpStream) -> Result<Origin, ReadError> {
    let mut header = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    loop {
        // What is seen is taken only as far as it belongs to the header.
        let seen = stream.peek(&mut piece).await?;
        if seen == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let before = header.len();
        header.extend_from_slice(&piece[..seen]);
        let parsed = parse(&header)?;
        let taken = match parsed {
            Parsed::Part => seen,
            Parsed::Whole { length, .. } => length.saturating_sub(before).min(seen),
        };
        stream.read_exact(&mut piece[..taken]).await?;
        if let Parsed::Whole { origin, .. } = parsed {
            return Ok(origin);
        }
    }
}

/// Both of one family, as a header holds only such.
fn alike(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let (source, destination) = (canonical(source), canonical(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        return (source, destination);
    }
    (mapped(source), mapped(destination))
}

/// An IPv4 address mapped into IPv6 as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(four) => SocketAddr::new(four.ip().to_ipv6_mapped().into(), four.port()),
        SocketAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests;
