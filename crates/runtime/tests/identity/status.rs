//! Operators on other hosts ask how a role is.

use std::net::{Ipv4Addr, SocketAddr};

use deis_api::client::{CallError, Credential, InternalClient};
use deis_api::status::RoleStatus;
use deis_runtime::identity::Authority;
use deis_runtime::{Role, Shutdown, StatusBoard};
use reqwest::{Method, StatusCode};
use tokio::net::TcpListener;

use crate::support::{Member, PATIENCE};

const KEY: &str = "the internal key";

/// An address on loopback that no other process binds.
fn own_address() -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 94, high, low)
}

async fn ask(member: &Member, key: &str, address: SocketAddr) -> Result<RoleStatus, CallError> {
    let peers = member.identity.peers([address], Role::Builder);
    let client = InternalClient::over(peers, Credential::Key(key.to_owned()));
    client.json(client.request(Method::GET, "/internal/status").timeout(PATIENCE)).await
}

#[tokio::test]
async fn operators_ask_as_soon_as_the_port_is_free_and_nobody_else_may() {
    let authority = Authority::create().unwrap();
    let [builder, operator, router] =
        ["builder", "deisctl", "router"].map(|role| Member::new(&authority, role));
    let before = TcpListener::bind((own_address(), 0)).await.unwrap();
    let address = before.local_addr().unwrap();
    let (board, shutdown) = (StatusBoard::new(Role::Builder), Shutdown::new());
    board.trouble("controller", "it is away", "start it");
    let serving =
        tokio::spawn(board.serve_operators(address, builder.identity.clone(), KEY, shutdown.clone()));
    // The one that it takes over from ends.
    drop(before);
    let status = loop {
        match ask(&operator, KEY, address).await {
            Ok(status) => break status,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!((status.role.as_str(), status.problems[0].cause.as_str()), ("builder", "it is away"));
    let refused = |answer: Result<RoleStatus, CallError>| answer.unwrap_err().status();
    assert_eq!(refused(ask(&router, KEY, address).await), Some(StatusCode::FORBIDDEN));
    assert_eq!(refused(ask(&operator, "another key", address).await), Some(StatusCode::UNAUTHORIZED));
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
