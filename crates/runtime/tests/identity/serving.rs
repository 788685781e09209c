//! HTTP between members: who may call what, and nobody is kept waiting by others.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::{Extension, Router, middleware};
use deis_api::client::{CallError, Connection, Credential, InternalClient, Peers};
use deis_runtime::identity::Authority;
use deis_runtime::{Allowed, Peer, Role, Shutdown, bind, require_role, serve_as};
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Member, PATIENCE};

/// More than may be under way at a time.
const SILENT_CALLERS: usize = 300;

async fn start(member: &Member) -> (SocketAddr, Shutdown) {
    let routers = middleware::from_fn_with_state(Allowed::roles([Role::Router]), require_role);
    let router =
        Router::new().route("/routes", get(|| async { "routes" }).layer(routers)).route("/who", get(who));
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let (identity, asked) = (member.identity.clone(), shutdown.clone());
    tokio::spawn(async move { serve_as(Some(&identity), listener, router, asked).await.unwrap() });
    (address, shutdown)
}

async fn who(ConnectInfo(address): ConnectInfo<SocketAddr>, Extension(peer): Extension<Peer>) -> String {
    format!("{} from {}", peer.role(), address.ip())
}

fn client(member: &Member, address: SocketAddr) -> InternalClient {
    InternalClient::over(
        member.identity.peers([address], Role::Controller),
        Credential::Key("key".to_owned()),
    )
}

async fn ask(client: &InternalClient, path: &str) -> Result<String, CallError> {
    let request = client.request(Method::GET, path).timeout(PATIENCE);
    Ok(client.send(request).await?.text().await.unwrap())
}

#[tokio::test]
async fn a_handler_knows_who_calls() {
    let authority = Authority::create().unwrap();
    let (address, _shutdown) = start(&Member::new(&authority, "controller")).await;
    let client = client(&Member::new(&authority, "builder"), address);
    assert_eq!(ask(&client, "/who").await.unwrap(), "builder from 127.0.0.1");
}

#[tokio::test]
async fn an_endpoint_is_for_the_roles_that_it_names() {
    let authority = Authority::create().unwrap();
    let (address, _shutdown) = start(&Member::new(&authority, "controller")).await;
    assert_eq!(ask(&client(&Member::new(&authority, "router"), address), "/routes").await.unwrap(), "routes");
    let refused = ask(&client(&Member::new(&authority, "builder"), address), "/routes").await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN));
    assert!(refused.to_string().contains("a builder may not call this; router may"), "{refused}");
}

#[tokio::test]
async fn without_mutual_tls_there_is_nobody_to_refuse() {
    let allowed = middleware::from_fn_with_state(Allowed::roles([Role::Router]), require_role);
    let router = Router::new().route("/routes", get(|| async { "routes" }).layer(allowed));
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_as(None, listener, router, Shutdown::new()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /routes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("routes"), "{answer}");
}

#[tokio::test]
async fn callers_that_say_nothing_or_nonsense_keep_nobody_waiting() {
    let authority = Authority::create().unwrap();
    let (address, _shutdown) = start(&Member::new(&authority, "controller")).await;
    let mut held = Vec::new();
    for number in 0..SILENT_CALLERS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 3 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        }
        held.push(stream);
    }
    let router = client(&Member::new(&authority, "router"), address);
    assert_eq!(ask(&router, "/routes").await.unwrap(), "routes");
    drop(held);
}

#[tokio::test]
async fn a_client_without_tls_gets_no_answer() {
    let authority = Authority::create().unwrap();
    let (address, _shutdown) = start(&Member::new(&authority, "controller")).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"));
}

#[tokio::test]
async fn a_raw_connection_carries_bytes_to_the_first_that_answers() {
    let authority = Authority::create().unwrap();
    let (address, _shutdown) = start(&Member::new(&authority, "controller")).await;
    let router = Member::new(&authority, "router");
    let nobody = closed_port();
    let peers = router.identity.peers([nobody, address], Role::Controller);
    let mut stream = connect(&peers).await;
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("router from 127.0.0.1"), "{answer}");
    let refused = router.identity.peers([address], Role::Logger).connect().await.unwrap_err();
    assert!(refused.to_string().contains("it is a controller where a logger was expected"), "{refused}");
}

#[tokio::test]
async fn a_server_that_ends_finishes_what_is_under_way() {
    let authority = Authority::create().unwrap();
    let member = Member::new(&authority, "controller");
    let (begun, go_on) = (Shutdown::new(), Shutdown::new());
    let (noted, awaited) = (begun.clone(), go_on.clone());
    let slow = move || async move {
        noted.cancel();
        awaited.cancelled().await;
        "done"
    };
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let (identity, asked) = (member.identity.clone(), shutdown.clone());
    let router = Router::new().route("/slow", get(slow));
    let serving = tokio::spawn(async move { serve_as(Some(&identity), listener, router, asked).await });
    let client = client(&Member::new(&authority, "router"), address);
    let asking = tokio::spawn(async move { ask(&client, "/slow").await });
    begun.cancelled().await;
    shutdown.cancel();
    go_on.cancel();
    assert_eq!(asking.await.unwrap().unwrap(), "done");
    let ended = tokio::time::timeout(PATIENCE + Duration::from_secs(10), serving).await;
    ended.expect("it ends").unwrap().unwrap();
}

/// A connection, however long this machine takes for it.
async fn connect(peers: &Peers) -> Connection {
    let connecting = async {
        loop {
            if let Ok(connection) = peers.connect().await {
                return connection;
            }
        }
    };
    tokio::time::timeout(PATIENCE, connecting).await.expect("a connection")
}

/// An address that nobody listens on, held so that nobody will.
fn closed_port() -> SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    // A bound socket that does not listen refuses; leaked so that the port stays taken.
    std::mem::forget(socket);
    address
}
