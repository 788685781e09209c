//! Connections that a router announces by the PROXY protocol.

use deis_runtime::proxy_protocol::{Version, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::Platform;

/// A router in front of the builder at `port`, which announces each connection with `header`.
async fn router(port: u16, header: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut builder = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
            builder.write_all(&header).await.expect("it reads");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut builder).await });
        }
    });
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_comes_from_whom_the_router_names() {
    let platform = Platform::start().await;
    let (client, server) = ("203.0.113.9:50000".parse().unwrap(), "192.0.2.1:2222".parse().unwrap());
    let mut user = platform.client().await;
    for version in [Version::One, Version::Two] {
        let port = router(platform.port, encode(version, client, server)).await;
        user = user.at(port).await;
        user.commit("version", &format!("{version:?}")).await;
        user.push().await.succeeded();
        let push = platform.controller.knows().pushes.pop().unwrap();
        assert_eq!(push.ssh_connection, "203.0.113.9 50000 192.0.2.1 2222");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_routers_own_connection_keeps_its_address() {
    let platform = Platform::start().await;
    let port = router(platform.port, b"PROXY UNKNOWN\r\n".to_vec()).await;
    platform.client().await.at(port).await.push().await.succeeded();
    let push = platform.controller.knows().pushes.pop().unwrap();
    assert!(push.ssh_connection.starts_with("127.0.0.1 "), "{}", push.ssh_connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_an_announcement_is_turned_away() {
    let platform = Platform::start().await;
    for wrong in ["PROXY TCP4 203.0.113.9\r\n", "PROXY what\r\n", "\r\n\r\n\0\r\nQUIT!", "P\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", platform.port)).await.unwrap();
        stream.write_all(wrong.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // Closed with bytes unread, the connection may also count as reset.
        let _ = stream.read_to_end(&mut rest).await;
        assert_eq!(rest, b"", "{wrong:?}");
    }
}
