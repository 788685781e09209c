//! Places where a component is, or is not any more.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use deis_api::client::{CallError, Credential, InternalClient, Peers};
use reqwest::Method;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers as told and counts what it was asked.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    told: Arc<Told>,
}

struct Told {
    asked: AtomicUsize,
    answer: Mutex<Answer>,
}

/// A status, the leader that it names, and a body.
type Answer = (StatusCode, Option<String>, &'static str);

impl Place {
    /// A place that answers with this status and body.
    pub(crate) async fn answering(status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = (StatusCode::from_u16(status).unwrap(), None, body);
        let told = Arc::new(Told { asked: AtomicUsize::new(0), answer: Mutex::new(answer) });
        let router = Router::new().fallback(answer_as_told).with_state(Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, told }
    }

    /// A follower; says that the leader is there, if it knows.
    pub(crate) async fn following(leader: Option<String>) -> Self {
        let place = Self::answering(421, "not the leader").await;
        place.told.answer.lock().unwrap().1 = leader;
        place
    }

    /// Answers 200 from now on.
    pub(crate) fn lead(&self) {
        *self.told.answer.lock().unwrap() = (StatusCode::OK, None, "leader");
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.told.asked.load(SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn answer_as_told(State(told): State<Arc<Told>>) -> Response {
    told.asked.fetch_add(1, SeqCst);
    let (status, leader, body) = told.answer.lock().unwrap().clone();
    match leader {
        Some(leader) => (status, [("x-deis-leader", leader)], body).into_response(),
        None => (status, body).into_response(),
    }
}

/// An address that refuses connections for as long as the guard lives.
pub(crate) fn refusing() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// A place that takes a request and closes the connection without an answer.
pub(crate) async fn breaking() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    address
}

/// A place that accepts connections and never says anything.
pub(crate) async fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    address
}

/// A client of these places.
pub(crate) fn client(places: &[SocketAddr]) -> InternalClient {
    let _ = rustls::crypto::ring::default_provider().install_default();
    InternalClient::over(Peers::new(places, None), Credential::Key("key".to_owned()))
}

/// What a request with this method is answered.
pub(crate) async fn ask(client: &InternalClient, method: Method) -> Result<String, CallError> {
    let request = client.request(method, "/internal/apps?a=b").body("body").timeout(PATIENCE);
    Ok(client.send(request).await?.text().await.unwrap())
}
