//! What answers for containers: a few servers on loopback.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How many there are.
const SERVERS: usize = 8;
/// What every request is answered with.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nup\n";

/// Servers at work.
pub(super) struct Servers {
    addresses: Vec<SocketAddr>,
}

impl Servers {
    /// Starts them.
    pub(super) async fn start() -> Self {
        let mut addresses = Vec::new();
        for _ in 0..SERVERS {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
            addresses.push(listener.local_addr().expect("a bound socket has an address"));
            tokio::spawn(accept(listener));
        }
        Self { addresses }
    }

    /// Where they listen.
    pub(super) fn addresses(self) -> Vec<SocketAddr> {
        self.addresses
    }
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream));
    }
}

/// Answers every head of a request; none has a body.
async fn serve(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(stream.read_until(b'\n', &mut line).await, Ok(length) if length > 0) {
        if line == b"\r\n" && stream.write_all(ANSWER).await.is_err() {
            return;
        }
        line.clear();
    }
}
