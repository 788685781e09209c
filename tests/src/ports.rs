//! Free ports of this machine.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Ports that the system gives to nobody by itself: neither to outgoing connections nor to an engine's containers.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// How many one test asks for at most: tests that run at the same time, which differ in their process ids, look elsewhere.
const PER_PROCESS: u32 = 50;

/// How many have been looked at by this process.
static SEEN: AtomicU32 = AtomicU32::new(0);

/// An address on loopback that nobody listens on, and that nobody is given who asks for any.
pub fn free_address() -> SocketAddr {
    let first = std::process::id().wrapping_mul(PER_PROCESS);
    let mut candidates = (0..COUNT).map(|_| {
        let number = first.wrapping_add(SEEN.fetch_add(1, Relaxed)) % COUNT;
        SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(FIRST + number).expect("below 30,000")))
    });
    candidates.find(|address| TcpListener::bind(address).is_ok()).expect("loopback has a free port")
}
