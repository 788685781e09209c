//! The app behind every router: answers at once, from memory, and costs as little as can be.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves for ever on `address`: `/small` is 1 KiB, `/large` 64 KiB. Runs in a process of its own.
pub(crate) fn serve(address: &str) {
    let address: SocketAddr = address.parse().expect("an address and a port");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime needs nothing");
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let answers = Arc::new([answer(1024), answer(64 * 1024)]);
        loop {
            // A connection that broke before it was accepted is nobody's.
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&answers)));
            }
        }
    });
}

fn answer(bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {bytes}\r\n\r\n"
    );
    [head.into_bytes(), vec![b'x'; bytes]].concat()
}

/// Requests have no bodies here, so each ends with its head; routers send one at a time.
async fn converse(mut stream: TcpStream, answers: Arc<[Vec<u8>; 2]>) {
    let _ = stream.set_nodelay(true);
    let (mut buffer, mut filled) = (vec![0; 16 * 1024], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            let answer = &answers[usize::from(buffer.starts_with(b"GET /large"))];
            if stream.write_all(answer).await.is_err() {
                return;
            }
            filled = 0;
        }
    }
}
