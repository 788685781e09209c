//! A client of web sockets, no more than tests need.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The example's key and what a server makes of it. Source: RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// What a client's bytes are masked with; any four will do.
const MASK: [u8; 4] = [1, 2, 3, 4];

/// An open socket.
pub struct WebSocket {
    stream: TcpStream,
}

impl WebSocket {
    /// Opens `path` of `host` through the router; panics if it is not upgraded.
    pub fn open(router: SocketAddr, host: &str, path: &str) -> Self {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(router).expect("the router accepts connections");
        let answer = handshake(&mut stream, &head).expect("the router answers");
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains(ACCEPT), "{answer}");
        Self { stream }
    }

    /// Sends a frame of text, shorter than 126 bytes, and reads one like it.
    pub fn echo(&mut self, text: &str) -> io::Result<String> {
        let length = u8::try_from(text.len()).map_err(io::Error::other)?;
        let masked = text.bytes().zip(MASK.into_iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let frame: Vec<u8> = [0x81, 0x80 | length].into_iter().chain(MASK).chain(masked).collect();
        self.stream.write_all(&frame)?;
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        let mut reply = vec![0; usize::from(head[1])];
        self.stream.read_exact(&mut reply)?;
        String::from_utf8(reply).map_err(io::Error::other)
    }
}

/// Sends a request's head and reads the answer's, byte by byte, because what follows is not HTTP.
fn handshake(stream: &mut TcpStream, head: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    String::from_utf8(answer).map_err(io::Error::other)
}
