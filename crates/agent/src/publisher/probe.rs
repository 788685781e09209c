//! One look at whether a container serves: its port accepts and, if it has a path, answers 200 there.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use deis_model::HealthCheck;

/// The first line of an answer is at most this long, in bytes.
const STATUS_LINE_LIMIT: usize = 1024;

/// Whether the container at `address` serves, or why not.
pub(super) async fn judge(address: SocketAddr, check: &HealthCheck) -> Result<(), String> {
    let limit = check.timeout();
    match &check.path {
        None => within(limit, connect(address)).await.map(drop).map_err(|late| {
            late.unwrap_or_else(|| {
                format!("port {} did not accept within {} s", address.port(), limit.as_secs())
            })
        }),
        Some(path) => within(limit, get(address, path)).await.map_err(|late| {
            late.unwrap_or_else(|| format!("GET {path} was not answered within {} s", limit.as_secs()))
        }),
    }
}

/// The error is none when it took too long.
async fn within<T>(
    limit: Duration,
    attempt: impl Future<Output = Result<T, String>>,
) -> Result<T, Option<String>> {
    tokio::time::timeout(limit, attempt).await.map_err(|_| None)?.map_err(Some)
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let port = address.port();
    TcpStream::connect(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("port {port} refused the connection"),
        _ => format!("port {port} is not reached: {error}"),
    })
}

async fn get(address: SocketAddr, path: &str) -> Result<(), String> {
    let mut stream = connect(address).await?;
    let broke = |error| format!("GET {path} broke off: {error}");
    stream.write_all(request(address, path).as_bytes()).await.map_err(broke)?;
    let line = status_line(&mut stream).await.map_err(broke)?;
    match status(&line) {
        Some(200) => Ok(()),
        Some(status) => Err(format!("GET {path} answered {status}")),
        None => Err(format!("GET {path} was not answered in HTTP")),
    }
}

fn request(address: SocketAddr, path: &str) -> String {
    let path = target(path);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: deis-publisher\r\nAccept: */*\r\nConnection: close\r\n\r\n"
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

    async fn check(answer: &'static str, path: Option<&str>, expected: Result<(), &str>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accept");
            let mut request = [0_u8; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let check = HealthCheck { path: path.map(str::to_owned), ..Default::default() };
        assert_eq!(judge(address, &check).await, expected.map_err(str::to_owned), "{answer:?}");
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
        let refused = judge(address, &HealthCheck::default()).await.expect_err("closed");
        assert_eq!(refused, format!("port {} refused the connection", address.port()));
    }

    #[test]
    fn a_path_cannot_add_lines_to_the_request() {
        assert_eq!(target("/a b\r\nX: y?q=1"), "/a%20b%0D%0AX:%20y?q=1");
    }
}
