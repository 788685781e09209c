//! Which addresses are this host's.

use std::net::{SocketAddr, UdpSocket};

/// Whether `address` is one of this host's.
pub(super) fn is_here(address: SocketAddr) -> bool {
    UdpSocket::bind((address.ip(), 0)).is_ok()
}
