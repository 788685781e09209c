//! Apps: small HTTP servers on loopback, from well behaved to hostile.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// An app; ends when dropped, with all its connections.
pub(crate) struct App {
    address: SocketAddr,
    counts: Arc<Counts>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    connections: Arc<AtomicUsize>,
    requests: AtomicUsize,
    release: Notify,
    name: String,
}

impl App {
    /// An app that answers `GET /` with `name`, `/echo` with the request's head and body, `/hold` when released.
    pub(crate) async fn start(name: &str) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), name).await
    }

    /// The same at a given address.
    pub(crate) async fn at(address: SocketAddr, name: &str) -> Self {
        let counts = Arc::new(Counts { name: name.to_owned(), ..Counts::default() });
        let router = axum::Router::new()
            .route("/", get(async |State(counts): State<Arc<Counts>>| counts.name.clone()))
            .route("/hold", any(hold))
            .route("/big", get(big))
            .route("/sink", any(sink))
            .fallback(echo)
            .with_state(Arc::clone(&counts));
        let counted = middleware::from_fn_with_state(Arc::clone(&counts), count);
        let router = router.layer(counted);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(super::serve::serve(listener, router, Arc::clone(&counts.connections)));
        Self { address, counts, serving }
    }

    /// An app that treats every connection as `serve` does: it gets the number of the connection, from 1.
    pub(crate) async fn raw<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let counts = Arc::new(Counts::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counted = Arc::clone(&counts);
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(counted.connections.fetch_add(1, SeqCst) + 1, stream));
            }
        });
        Self { address, counts, serving }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(SeqCst)
    }

    /// Lets requests for `/hold` be answered.
    pub(crate) fn release(&self) {
        self.counts.release.notify_waiters();
        self.counts.release.notify_one();
    }

    /// Ends it: its port refuses connections from then on.
    pub(crate) async fn stop(self) -> SocketAddr {
        self.serving.abort();
        super::until(|| self.serving.is_finished()).await;
        self.address
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Reads one request's head from `stream`; none at its end.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// Answers 200 with `body` on a connection that is kept.
pub(crate) async fn respond(stream: &mut TcpStream, body: &str) {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn count(State(counts): State<Arc<Counts>>, request: Request, next: Next) -> Response {
    counts.requests.fetch_add(1, SeqCst);
    next.run(request).await
}

async fn hold(State(counts): State<Arc<Counts>>) -> String {
    counts.release.notified().await;
    counts.name.clone()
}

async fn big() -> Response {
    let chunk = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    let chunks = futures::stream::iter(std::iter::repeat_n(chunk, 1024).map(Ok::<_, std::io::Error>));
    Body::from_stream(chunks).into_response()
}

async fn sink(request: Request) -> String {
    use http_body_util::BodyExt;
    let mut body = request.into_body();
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, |data| data.len());
    }
    length.to_string()
}

async fn echo(request: Request) -> String {
    let (head, body) = request.into_parts();
    let mut text = format!("{} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    text + "\n" + std::str::from_utf8(&body).unwrap()
}
