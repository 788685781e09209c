//! Ports for programs that cannot be given a socket.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Ports that the system gives to nobody by itself.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 20_000;
/// How far apart processes begin to look.
const PER_PROCESS: u32 = 50;

/// A port that nobody listens on, and that nobody is given who asks for any.
pub(crate) fn free_port() -> u16 {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(PER_PROCESS);
    let mut candidates = (0..PORTS).map(|_| {
        let number = first.wrapping_add(SEEN.fetch_add(1, Relaxed)) % PORTS;
        u16::try_from(FIRST_PORT + number).expect("below 30,000")
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.find(is_free).expect("loopback has a free port")
}
