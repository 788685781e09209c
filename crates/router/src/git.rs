//! Git over SSH: plain TCP on to a builder.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use deis_model::routing::ProxyProtocol;

use crate::announced;
use crate::shared::Shared;
use crate::tunnel;

/// How often a builder is looked for, and how long in between, before the client is turned away.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// Carries one git client's bytes to a builder; closes the connection if none can be reached.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    mut client: TcpStream,
    peer: SocketAddr,
    _place: OwnedSemaphorePermit,
) {
    let carry = async {
        let Some(ends) = announced::ends_of_git(&shared, &mut client, peer).await else { return };
        let Some(_member) = shared.count_in(&shared.pushers, ends.client.ip(), ends.is_announced) else {
            return;
        };
        let Some(mut builder) = reach(&shared).await else {
            return tracing::warn!("a git client was turned away: no builder can be reached");
        };
        let told = shared.table.load().mesh.builder;
        let header = ends.header(Some(ProxyProtocol::V1).filter(|_| told.is_told));
        if builder.write_all(&header).await.is_ok() {
            tunnel::run(client, builder, told.idle).await;
        }
    };
    tokio::select! {
        () = carry => {}
        () = shared.ending.cancelled() => {}
    }
}

async fn reach(shared: &Shared) -> Option<TcpStream> {
    for _ in 0..TRIES {
        let (builders, longest) = {
            let table = shared.table.load();
            (in_random_order(&table.platform.builders), table.mesh.builder.connect)
        };
        for (others, address) in (0..builders.len()).rev().zip(builders) {
            let patience =
                if others > 0 { shared.config.timeouts.connect_if_others.min(longest) } else { longest };
            if let Some(stream) = connect(address, patience).await {
                return Some(stream);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

async fn connect(address: SocketAddr, timeout: Duration) -> Option<TcpStream> {
    let connected = tokio::time::timeout(timeout, TcpStream::connect(address)).await;
    let stream = connected.map_err(std::io::Error::from).and_then(|connected| connected);
    let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
    stream
        .inspect_err(|error| tracing::debug!(%address, %error, "a builder does not accept connections"))
        .ok()
}

fn in_random_order(builders: &[SocketAddr]) -> Vec<SocketAddr> {
    use rand::seq::SliceRandom;
    let mut builders = builders.to_vec();
    builders.shuffle(&mut rand::rng());
    builders
}
