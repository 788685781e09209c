//! One who asks one router again and again.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon to ask again.
const PAUSE: Duration = Duration::from_micros(500);

/// A visitor with a connection that is kept.
pub(super) struct Visitor {
    router: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Visitor {
    /// One of `router`.
    pub(super) fn new(router: SocketAddr) -> Self {
        Self { router, connection: None }
    }

    /// Asks until `host` is answered as `is_wanted`; when that was.
    pub(super) fn ask_until(&mut self, host: &str, is_wanted: impl Fn(u16) -> bool) -> Instant {
        let begun = Instant::now();
        while !self.ask(host).is_ok_and(&is_wanted) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{} does not serve {host}", self.router);
            std::thread::sleep(PAUSE);
        }
        Instant::now()
    }

    /// The status that `host` is answered with.
    pub(super) fn ask(&mut self, host: &str) -> io::Result<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        write!(connection.get_mut(), "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
        let (status, stays) = read_answer(&mut connection)?;
        self.connection = stays.then_some(connection);
        Ok(status)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.router, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(BufReader::new(stream))
    }
}

/// The status, and whether the connection can be used again.
fn read_answer(connection: &mut BufReader<TcpStream>) -> io::Result<(u16, bool)> {
    let garbled = || io::Error::other("no HTTP");
    let (mut status, mut length, mut closes) = (None, None, false);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            None => status = line.split(' ').nth(1).and_then(|code| code.parse().ok()),
            Some(("content-length", value)) => length = value.parse().ok(),
            Some(("connection", value)) => closes = value == "close",
            Some(_) => {}
        }
    }
    if let Some(length) = length {
        connection.read_exact(&mut vec![0; length])?;
    }
    Ok((status.ok_or_else(garbled)?, length.is_some() && !closes))
}
