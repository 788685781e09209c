//! Where other hosts reach this one, if that is not said.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::{Context, bail};

/// Somewhere else (RFC 5737, never in use): nothing is sent there, only the way out is asked for.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The address from which this host would reach others.
pub(super) fn own() -> anyhow::Result<IpAddr> {
    const CURE: &str = "failed to find out where other hosts reach this one; say it with --address";
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context(CURE)?;
    socket.connect(ELSEWHERE).context(CURE)?;
    match socket.local_addr().context(CURE)?.ip() {
        ip if ip.is_loopback() || ip.is_unspecified() => bail!(CURE),
        ip => Ok(ip),
    }
}
