//! Connections that are passed on to an app's containers as they are.
//!
//! Each counts as under way to its container until it ends, so that a container that is replaced is only stopped when
//! its connections are through, or the controller's patience is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::announced::Ends;
use crate::balance::{Moment, Tried, pick, pick_out};
use crate::clock::millis;
use crate::endpoint::Flight;
use crate::farewell;
use crate::reach;
use crate::room::is_full;
use crate::rules::Refusal;
use crate::service::Service;
use crate::shared::Shared;
use crate::table::Table;
use crate::tunnel;
use crate::upgrade::leaving;

/// How long to wait when no container accepts; each further time longer by as much.
const WAIT: Duration = Duration::from_millis(25);

/// Carries the bytes of `client` to a container of the service that `find` names in the table in force, and back.
///
/// Closes the connection if there is no such service, it does not let the client in, or none of its containers accepts.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    client: TcpStream,
    ends: Ends,
    find: impl Fn(&Table) -> Option<&Arc<Service>>,
) {
    let carry = async {
        let Some((flight, mut container, header)) = reach(shared, ends, find).await else { return };
        if container.write_all(&header).await.is_ok() {
            let idle = shared.table.load().mesh.clients.idle;
            let leaving = leaving(Arc::clone(shared), Arc::clone(flight.endpoint()));
            // Shortly before its container is stopped, the client's half is closed: that is all both understand.
            let container = farewell::until(container, false, async { _ = leaving.await });
            tunnel::run(client, container, idle).await;
        }
        drop(flight);
    };
    tokio::select! {
        () = carry => {}
        () = shared.ending.cancelled() => {}
    }
}

/// A connection to a container, and what it is to hear before the client's own bytes.
async fn reach(
    shared: &Shared,
    ends: Ends,
    find: impl Fn(&Table) -> Option<&Arc<Service>>,
) -> Option<(Flight, TcpStream, Vec<u8>)> {
    let (started, mut tried, mut waits) = (Instant::now(), Tried::default(), 0);
    let mut changed = shared.changed.subscribe();
    loop {
        let service = Arc::clone(find(&shared.table.load())?);
        if let Err(refusal) = judge(shared, &service, ends.client.ip(), waits == 0) {
            tracing::debug!(client = %ends.client, %refusal, "turned away by the app's rules");
            return None;
        }
        if let Some((flight, container)) = connect(shared, &service, &mut tried).await {
            return Some((flight, container, ends.header(service.rules.proxy_protocol)));
        }
        if started.elapsed() >= shared.config.timeouts.reach {
            tracing::debug!(client = %ends.client, "turned away: no container accepts connections");
            return None;
        }
        waits += 1;
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(WAIT * waits) => {}
        }
        tried = Tried::default();
    }
}

/// Whether the service's rules let `client` in now. It is counted once, however often it is tried.
fn judge(shared: &Shared, service: &Service, client: IpAddr, is_first: bool) -> Result<(), Refusal> {
    service.gate.judge_connection(client)?;
    if is_first { service.gate.count(&shared.bounds, client) } else { Ok(()) }
}

/// A connection to any of the service's containers; none if none accepts.
async fn connect(shared: &Shared, service: &Service, tried: &mut Tried) -> Option<(Flight, TcpStream)> {
    loop {
        let now = shared.clock.now();
        let moment = Moment { now, slow_start: millis(service.rules.slow_start) };
        let endpoint =
            pick(&service.endpoints, tried, moment).or_else(|| pick_out(&service.endpoints, tried, now))?;
        // One that cannot be boarded has left the table meanwhile.
        let flight = endpoint.board()?;
        let has_others = tried.leave_several(&service.endpoints);
        let longest = service.rules.timeouts.connect;
        let others = shared.config.timeouts.connect_if_others.min(longest);
        let patience = if has_others { others } else { longest };
        match reach::connect(shared, || open(endpoint.address, patience)).await {
            Ok(container) => {
                endpoint.accepted(shared.clock.now());
                return Some((flight, container));
            }
            // That says nothing of the container.
            Err(error) if is_full(&error) => return None,
            Err(error) => {
                tracing::debug!(address = %endpoint.address, %error, "a container does not accept connections");
                endpoint.ejection.eject(shared.clock.now());
                shared.prober.watch(endpoint);
                shared.counters.ejections.add();
                tried.add(endpoint.address);
            }
        }
    }
}

async fn open(address: SocketAddr, timeout: Duration) -> std::io::Result<TcpStream> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
