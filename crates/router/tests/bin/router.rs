//! A router as a process of its own, for tests that kill it. Arguments: where visitors come in, where git does, where
//! health is asked for, where the controller is, and the state directory.

use std::net::SocketAddr;

use deis_api::client::Peers;
use deis_router::{Config, Router};
use deis_runtime::{Role, Shutdown, StatusBoard};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut address = || -> Result<SocketAddr, Box<dyn std::error::Error>> {
        Ok(arguments.next().ok_or("an address is missing")?.parse()?)
    };
    let (http, git, health, controller) = (address()?, address()?, address()?, address()?);
    let state = arguments.next().ok_or("the state directory is missing")?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::new("test key", state);
    (config.http, config.git, config.health) = (vec![http], vec![git], vec![health]);
    config.controllers = Peers::new([controller], None);
    let (shutdown, mut terminate) = (Shutdown::new(), signal(SignalKind::terminate())?);
    let asked = shutdown.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        asked.cancel();
    });
    Ok(Router::bind(config, StatusBoard::new(Role::Router))?.run(shutdown).await?)
}
