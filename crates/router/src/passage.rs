//! Connections that are passed on to an app's containers as they are.
//!
//! Each goes the same course as a request: to the release whose turn it is, around containers that are out, and into the
//! app's queue while there is none. It counts as under way to its container until it ends, so that a container that is
//! replaced is only stopped when its connections are through, or the controller's patience is.

mod trial;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::announced::Ends;
use crate::course::Course;
use crate::endpoint::Flight;
use crate::farewell;
use crate::metrics::Event;
use crate::page::Failure;
use crate::reach;
use crate::rules::Gate;
use crate::shared::Shared;
use crate::sought::Sought;
use crate::tunnel;
use crate::upgrade::leaving;

use trial::{Showing, Trial};

/// A connection that a container accepted.
struct Reached {
    container: TcpStream,
    flight: Flight,
    /// The rules that it was let in by.
    gate: Arc<Gate>,
}

/// Carries the bytes of `client` to a container of the service that is `sought`, and back.
///
/// Closes the connection if there is no such service, it does not let the client in, or none of its containers accepts.
pub(crate) async fn serve(shared: &Arc<Shared>, client: TcpStream, ends: Ends, sought: Sought<'_>) {
    let carry = async {
        match reach(shared, &ends, sought).await {
            Ok(reached) => carry(shared, client, ends, sought, reached).await,
            Err(failure) => turn_away(shared, &ends, sought, &failure),
        }
    };
    tokio::select! {
        () = carry => {}
        () = shared.ending.cancelled() => {}
    }
}

async fn carry(shared: &Arc<Shared>, client: TcpStream, ends: Ends, sought: Sought<'_>, reached: Reached) {
    let Reached { container, flight, gate } = reached;
    let (endpoint, rules) = (flight.endpoint(), &gate.rules);
    endpoint.tally.note(Event::Connection);
    let judge = |showing| {
        let course = Course::passing(shared, sought);
        match showing {
            Showing::Well => course.stayed(endpoint),
            Showing::Unwell => course.hung_up(endpoint),
        }
    };
    let mut container = Trial::new(container, judge);
    if container.write_all(&ends.header(rules.proxy_protocol)).await.is_ok() {
        let leaving = leaving(Arc::clone(shared), Arc::clone(endpoint));
        // Shortly before its container is stopped, the client's half is closed: that is all both understand.
        let container = farewell::until(container, false, async { _ = leaving.await });
        let carried = tunnel::run(client, container, rules.timeouts.idle).await;
        endpoint.tally.carried(carried.from_a, carried.from_b);
    }
}

/// A container that accepts the connection.
async fn reach(shared: &Shared, ends: &Ends, sought: Sought<'_>) -> Result<Reached, Failure> {
    let mut course = Course::passing(shared, sought);
    let mut is_first = true;
    loop {
        // Asked again after each wait: the app may have other rules by then.
        let gate = judge(shared, ends, sought, is_first)?;
        is_first = false;
        while let Some(place) = course.place()? {
            let endpoint = place.flight.endpoint();
            let open = || open(endpoint.address, place.connect);
            if let Some(container) = reach::reach(shared, &mut course, endpoint, open).await? {
                return Ok(Reached { container, flight: place.flight, gate });
            }
        }
        course.wait().await?;
    }
}

/// The gate of the service, if it lets the client in now. The client is counted once, however often it is tried.
fn judge(shared: &Shared, ends: &Ends, sought: Sought<'_>, is_first: bool) -> Result<Arc<Gate>, Failure> {
    let table = shared.table.load();
    let gate = &sought.find(&table).ok_or(Failure::UnknownHost)?.gate;
    let client = ends.client.ip();
    gate.judge_connection(client).map_err(Failure::Refused)?;
    if is_first {
        gate.count(&shared.bounds, client).map_err(Failure::Refused)?;
    }
    Ok(Arc::clone(gate))
}

fn turn_away(shared: &Shared, ends: &Ends, sought: Sought<'_>, failure: &Failure) {
    tracing::debug!(client = %ends.client, %failure, "turned a connection away");
    if let Some(service) = sought.find(&shared.table.load()) {
        service.tallies.newest().note(failure.event().unwrap_or(Event::Unconnected));
    }
}

async fn open(address: SocketAddr, timeout: Duration) -> std::io::Result<TcpStream> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
