//! An HTTP client that sends exactly the bytes a test wants and shows exactly those that come back.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One connection to a router.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// `HTTP/1.1 200 OK`
    pub(crate) line: String,
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A connection that ended too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Before the first byte of an answer: on a kept connection whoever asked may ask again.
    Before,
    /// Within an answer.
    Within,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    /// One over a connection that there is already.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)) }
    }

    pub(crate) async fn get(&mut self, host: &str, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        self.answer().await
    }

    /// Sends a request that may meet a connection that has just been closed, and reads the answer.
    pub(crate) async fn try_ask(&mut self, text: &str) -> Result<Answer, Broken> {
        // Whether it was closed is seen by what comes back.
        let _ = self.stream.write_all(text.as_bytes()).await;
        let _ = self.stream.flush().await;
        let begun = tokio::time::timeout(super::PATIENCE, self.stream.fill_buf()).await;
        match begun.expect("an answer or the end comes in time") {
            Ok([]) | Err(_) => Err(Broken::Before),
            Ok(_) => self.try_answer().await.ok_or(Broken::Within),
        }
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// Closes the sending half.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads one answer to a request that is not `HEAD`; interim ones before it are passed over.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer comes before the connection ends")
    }

    /// The same; none if the connection ends first.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        tokio::time::timeout(super::PATIENCE, async {
            let mut answer = self.head().await?;
            while matches!(answer.status, 100 | 102..=199) {
                answer = self.head().await?;
            }
            answer.body = self.body(&answer).await?;
            Some(answer)
        })
        .await
        .expect("an answer comes in time")
    }

    /// Reads the head of an answer.
    pub(crate) async fn head(&mut self) -> Option<Answer> {
        let line = self.line().await?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            match self.line().await? {
                line if line.is_empty() => break,
                line => {
                    let (name, value) = line.split_once(':')?;
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
        Some(Answer { line, status, headers, body: Vec::new() })
    }

    /// One byte; none at the end.
    pub(crate) async fn byte(&mut self) -> Option<u8> {
        self.stream.read_u8().await.ok()
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.ok()?;
        Some(bytes)
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(super::PATIENCE, self.stream.read_to_end(&mut bytes))
            .await
            .expect("it ends");
        bytes
    }

    async fn body(&mut self, answer: &Answer) -> Option<Vec<u8>> {
        if answer.header("transfer-encoding") == Some("chunked") {
            return self.chunks().await;
        }
        match answer.header("content-length") {
            Some(length) => self.exactly(length.parse().ok()?).await,
            None if matches!(answer.status, 101 | 204 | 304) => Some(Vec::new()),
            None => Some(self.rest().await),
        }
    }

    /// The rest of a body in chunks.
    pub(crate) async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await?;
            let length = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
            if length == 0 {
                while !self.line().await?.is_empty() {}
                return Some(body);
            }
            body.extend(self.exactly(length).await?);
            self.line().await?;
        }
    }

    /// One line without its end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            match self.byte().await? {
                b'\n' => break,
                byte => line.push(byte),
            }
        }
        String::from_utf8(line.strip_suffix(b"\r")?.to_vec()).ok()
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
