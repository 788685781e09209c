//! TLS connections that are passed on unopened, by the host that the client asks for.

use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use rustls::server::Acceptor;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::host::Host;
use crate::service::Service;
use crate::shared::Shared;
use crate::table::Table;

/// The longest greeting that is looked through; real ones have some 2 KiB.
const LONGEST: usize = 16 * 1024;

/// How soon a greeting that is not whole is looked at again.
const PAUSE: Duration = Duration::from_millis(5);

/// The host of an app that answers TLS itself, if `stream` asks for one. Nothing is taken from the stream.
pub(crate) async fn host(shared: &Shared, stream: &TcpStream) -> Option<Host> {
    if shared.table.load().passed_on.is_empty() {
        return None;
    }
    let host = tokio::select! {
        host = tokio::time::timeout(shared.config.timeouts.handshake, asked(stream)) => host.ok()??,
        () = shared.ending.cancelled() => return None,
    };
    let host = Host::parse(host.as_bytes()).ok()?;
    service(&shared.table.load(), &host).is_some().then_some(host)
}

/// The service for `host`, if it answers TLS itself.
pub(crate) fn service<'a>(table: &'a Table, host: &Host) -> Option<&'a Arc<Service>> {
    table.names.find(host.as_str()).filter(|service| service.rules.tls_passthrough)
}

/// The host that a client asks for, as it says it.
async fn asked(stream: &TcpStream) -> Option<String> {
    let (mut bytes, mut seen) = (vec![0; LONGEST], 0);
    loop {
        // Asked first: whoever has closed by then has sent all that is found.
        let is_closed = stream.ready(Interest::READABLE).await.ok()?.is_read_closed();
        let look = || Ok(recv(stream, &mut bytes[..], RecvFlags::PEEK | RecvFlags::DONTWAIT)?);
        let (_, found) = stream.async_io(Interest::READABLE, look).await.ok()?;
        if found == seen {
            if is_closed || found == 0 {
                return None;
            }
            // What is there stays there, so that readiness says nothing of more.
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        seen = found;
        match server_name(&bytes[..seen]) {
            Greeting::Part if seen < LONGEST => {}
            Greeting::Part | Greeting::Other => return None,
            Greeting::For(host) => return Some(host),
        }
    }
}

/// What the first bytes of a connection say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// More is needed.
    Part,
    /// It names this host.
    For(String),
    /// It names none, or is none.
    Other,
}

/// The host that the greeting asks for which `bytes` begin with.
pub(crate) fn server_name(mut bytes: &[u8]) -> Greeting {
    let mut acceptor = Acceptor::default();
    while !bytes.is_empty() {
        if acceptor.read_tls(&mut bytes).is_err() {
            return Greeting::Other;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let host = accepted.client_hello().server_name().map(str::to_owned);
                return host.map_or(Greeting::Other, Greeting::For);
            }
            Ok(None) => {}
            Err(_) => return Greeting::Other,
        }
    }
    Greeting::Part
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// What a client says first that asks for `host`.
    fn greeting(host: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let name = host.to_owned().try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_host_is_known_once_the_greeting_is_whole() {
        let whole = greeting("blog.example.com");
        for length in 0..whole.len() {
            assert_eq!(server_name(&whole[..length]), Greeting::Part, "{length}");
        }
        assert_eq!(server_name(&whole), Greeting::For("blog.example.com".to_owned()));
        let more = [whole.as_slice(), b"more"].concat();
        assert_eq!(server_name(&more), Greeting::For("blog.example.com".to_owned()));
    }

    #[test]
    fn what_asks_for_no_host_is_not_passed_on() {
        assert_eq!(server_name(&greeting("192.0.2.1")), Greeting::Other);
        assert_eq!(server_name(b"GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n"), Greeting::Other);
    }

    #[test]
    fn damaged_greetings_harm_nobody() {
        let (whole, mut random) = (greeting("blog.example.com"), StdRng::seed_from_u64(7));
        for _ in 0..5_000 {
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..5) {
                let place = random.random_range(0..bytes.len());
                bytes[place] = random.random();
            }
            bytes.truncate(random.random_range(0..=bytes.len()));
            if let Greeting::For(host) = server_name(&bytes) {
                assert!(host.len() < 256 && host.is_ascii(), "{host:?}");
            }
        }
    }
}
