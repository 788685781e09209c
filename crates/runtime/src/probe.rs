//! One look at whether a container serves: its port accepts and, if it has a path, answers 200 there.
//!
//! Publishers and routers look in the same way, so that they do not judge one container differently.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The first line of an answer is at most this long, in bytes.
const STATUS_LINE_LIMIT: usize = 1024;

/// Why a container does not serve. What is said of it names the path, which may be nobody else's business than the app's.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection came about.
    #[error("port {port} {}", told(error))]
    Unreached {
        /// Where it was to.
        port: u16,
        /// Why.
        error: io::Error,
    },
    /// No connection came about in time.
    #[error("port {port} did not accept within {} s", limit.as_secs())]
    NotAccepted {
        /// Where it was to.
        port: u16,
        /// What it had.
        limit: Duration,
    },
    /// No answer came in time.
    #[error("GET {path} was not answered within {} s", limit.as_secs())]
    Unanswered {
        /// What was asked for.
        path: String,
        /// What it had.
        limit: Duration,
    },
    /// The connection ended before the answer was there.
    #[error("GET {path} broke off: {error}")]
    BrokeOff {
        /// What was asked for.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It answered that it is not well.
    #[error("GET {path} answered {status}")]
    Unwell {
        /// What was asked for.
        path: String,
        /// What it said.
        status: u16,
    },
    /// It answered something else.
    #[error("GET {path} was not answered in HTTP")]
    NotHttp {
        /// What was asked for.
        path: String,
    },
}

/// Asks the container at `address` for `path`, or only for a connection, in the name of `asker`; all within `limit`.
pub async fn probe(
    address: SocketAddr,
    path: Option<&str>,
    limit: Duration,
    asker: &str,
) -> Result<(), ProbeError> {
    let port = address.port();
    let Some(path) = path else {
        let late = |_| ProbeError::NotAccepted { port, limit };
        return tokio::time::timeout(limit, connect(address)).await.map_err(late)?.map(drop);
    };
    let late = |_| ProbeError::Unanswered { path: path.to_owned(), limit };
    tokio::time::timeout(limit, get(address, path, asker)).await.map_err(late)?
}

async fn connect(address: SocketAddr) -> Result<TcpStream, ProbeError> {
    let unreached = |error| ProbeError::Unreached { port: address.port(), error };
    TcpStream::connect(address).await.map_err(unreached)
}

async fn get(address: SocketAddr, path: &str, asker: &str) -> Result<(), ProbeError> {
    let mut stream = connect(address).await?;
    let path = || path.to_owned();
    let broke_off = |error| ProbeError::BrokeOff { path: path(), error };
    stream.write_all(request(address, &path(), asker).as_bytes()).await.map_err(broke_off)?;
    let line = status_line(&mut stream).await.map_err(broke_off)?;
    match status(&line) {
        Some(200) => Ok(()),
        Some(status) => Err(ProbeError::Unwell { path: path(), status }),
        None => Err(ProbeError::NotHttp { path: path() }),
    }
}

fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused the connection".to_owned(),
        _ => format!("is not reached: {error}"),
    }
}

fn request(address: SocketAddr, path: &str, asker: &str) -> String {
    let path = target(path);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: {asker}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// The path with all that may not stand in a request line escaped, so that no path can add lines to the request.
fn target(path: &str) -> String {
    let escaped = path.bytes().map(|byte| match byte {
        b'!'..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

async fn status_line(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut piece = [0_u8; 256];
    while line.len() < STATUS_LINE_LIMIT && !line.contains(&b'\n') {
        match stream.read(&mut piece).await? {
            0 => break,
            read => line.extend_from_slice(&piece[..read]),
        }
    }
    Ok(line)
}

/// The status in `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let mut words = line.split(|byte| byte.is_ascii_whitespace());
    let version = words.next()?;
    let status = std::str::from_utf8(words.next()?).ok()?;
    version.starts_with(b"HTTP/1.").then(|| status.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn check(answer: &'static str, path: Option<&str>, expected: Result<(), &str>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accept");
            let mut request = [0_u8; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let outcome = probe(address, path, LIMIT, "a-test").await.map_err(|error| error.to_string());
        assert_eq!(outcome, expected.map_err(str::to_owned), "{answer:?}");
    }

    #[tokio::test]
    async fn only_the_status_200_is_well() {
        check("HTTP/1.1 200 OK\r\n\r\n", Some("/health"), Ok(())).await;
        check("HTTP/1.0 200 OK\r\n\r\n", Some("/health"), Ok(())).await;
        check("HTTP/1.1 204 No Content\r\n\r\n", Some("/health"), Err("GET /health answered 204")).await;
        check("HTTP/1.1 500 Oops\r\n\r\n", Some("/"), Err("GET / answered 500")).await;
        check("SSH-2.0-OpenSSH\r\n", Some("/"), Err("GET / was not answered in HTTP")).await;
        check("", Some("/"), Err("GET / was not answered in HTTP")).await;
        check("", None, Ok(())).await;
    }

    #[tokio::test]
    async fn a_closed_port_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        drop(listener);
        let refused = probe(address, None, LIMIT, "a-test").await.expect_err("closed");
        assert_eq!(refused.to_string(), format!("port {} refused the connection", address.port()));
    }

    #[test]
    fn a_path_cannot_add_lines_to_the_request() {
        assert_eq!(target("/a b\r\nX: y?q=1"), "/a%20b%0D%0AX:%20y?q=1");
    }
}
