//! One request, from its head to its reply: let in, matched with a service, judged, passed on, answered, recorded.
//!
//! What each step does has a file of its own: `admission`, `rules`, `attempt`, `reply`, `visit`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;

use crate::access::Wanted;
use crate::admission::{Refusal, admit};
use crate::arriving::Arriving;
use crate::attempt::{Answer, Order, attempt};
use crate::circle;
use crate::forwarded::{self, Origin, Peer};
use crate::framing::Fault;
use crate::hop;
use crate::host::Host;
use crate::inspect::Watch;
use crate::metrics::Tally;
use crate::page::Failure;
use crate::reply::{self, Pending};
use crate::request_id;
use crate::rules::{Arrival, Gate};
use crate::served::{Content, Served};
use crate::shared::Shared;
use crate::tls::Secured;
use crate::upgrade::Upgrade;
use crate::upload::Upload;
use crate::visit::{Note, Visit};

/// Who asks.
pub(crate) struct Client {
    /// The other end of the connection.
    pub(crate) peer: Peer,
    /// The connection.
    pub(crate) watch: Arc<Watch>,
    /// None without TLS.
    pub(crate) secured: Option<Secured>,
}

/// Who is asked.
struct Destination {
    host: Host,
    gate: Arc<Gate>,
    tally: Arc<Tally>,
}

/// What is known of a request beside its head.
struct Errand<'a> {
    client: &'a Client,
    origin: Origin,
    upload: &'a Upload,
    upgrade: Option<&'a Upgrade>,
}

/// Answers one request; there is always an answer.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    client: &Client,
    mut request: Request<Arriving>,
) -> Result<Response<Served>, Infallible> {
    let (busy, judged) = client.watch.begin();
    let upgrade = Upgrade::of(&mut request);
    let (mut head, body) = request.into_parts();
    let origin = Origin::of(&head.headers, &client.peer, shared.table.load().mesh.believed());
    let request_id = request_id::ensure(&mut head.headers, origin.is_trusted);
    let upload = Upload::new(body, shared);
    let mut visit = Visit::begin(&upload);
    let found = admit(shared, client, &mut head).and_then(|host| find(shared, host, &head));
    let found = check(judged, found);
    let gate = found.as_ref().ok().map(|found| Arc::clone(&found.gate)).unwrap_or_default();
    let idle = match &found {
        Ok(destination) => destination.gate.rules.timeouts.idle,
        Err(_) => shared.table.load().mesh.clients.idle,
    };
    let errand = Errand { client, origin, upload: &upload, upgrade: upgrade.as_ref() };
    let answer = match found {
        Ok(destination) => {
            visit.count_in(&destination.tally);
            // Until it is answered, other limits hold.
            client.watch.allow(destination.gate.rules.timeouts.answer.saturating_add(idle));
            forward(shared, &errand, &destination, &mut head).await
        }
        Err(refusal) => Err(refusal),
    };
    client.watch.allow(idle);
    let mut endpoint = None;
    let pending = Pending { head: &head, request_id: &request_id, upload, busy };
    let mut response = match answer {
        Ok(answer) => {
            visit.count_in(&answer.flight.endpoint().tally);
            endpoint = Some(answer.flight.endpoint().address);
            reply::accept(shared, answer, &gate, upgrade, pending)
        }
        Err(Refusal::Healthy | Refusal::Last) => reply::plain(Bytes::new(), pending.busy),
        Err(Refusal::Challenged(answer)) => reply::plain(answer, pending.busy),
        Err(Refusal::Failed(failure)) => {
            visit.note(failure.event());
            reply::refuse(&failure, pending)
        }
    };
    gate.tell_browsers(response.headers_mut(), origin.is_https);
    close_if_crowded(shared, head.version, &mut response);
    let status = response.status();
    shared.counters.answered(head.version, status);
    let logged = Logged { shared, client, origin, gate: visit.is_counted().then_some(&gate), endpoint };
    let note = logged.note(head, request_id, status);
    visit.answered(status, note);
    Ok(response.map(|content| Served::new(content, visit, idle)))
}

/// What a line in the access log tells beside the request itself.
struct Logged<'a> {
    shared: &'a Shared,
    client: &'a Client,
    origin: Origin,
    /// That of the service which answers for the host.
    gate: Option<&'a Arc<Gate>>,
    endpoint: Option<SocketAddr>,
}

impl Logged<'_> {
    /// What leaves a line about a request that was answered with `status`, if it is to leave one.
    fn note(&self, head: Parts, request_id: HeaderValue, status: StatusCode) -> Option<Note> {
        let app = self.gate.map(|gate| &gate.rules.access_log);
        let wanted = Wanted::choose(&self.shared.table.load().mesh.access_log, app, status);
        (!wanted.is_nothing()).then(|| Note {
            wanted,
            log: Arc::clone(&self.shared.access),
            client: self.origin.client,
            head,
            request_id,
            endpoint: self.endpoint,
            tls: self.client.peer.tls,
        })
    }
}

/// Refuses a request whose framing is at fault, whoever it is for; an app may excuse lines without carriage returns.
fn check(judged: Result<(), Fault>, found: Result<Destination, Refusal>) -> Result<Destination, Refusal> {
    let Err(fault) = judged else { return found };
    let is_excused = |to: &Destination| fault == Fault::BareLineFeed && to.gate.rules.allows_bare_lf;
    if found.as_ref().is_ok_and(is_excused) { found } else { Err(fault.into()) }
}

fn find(shared: &Shared, host: Host, head: &Parts) -> Result<Destination, Refusal> {
    let table = shared.table.load();
    match table.find(host.as_str()) {
        Some(service) => {
            let (gate, tally) = (Arc::clone(&service.gate), Arc::clone(service.tallies.newest()));
            Ok(Destination { host, gate, tally })
        }
        None if head.uri.path() == "/health-check" => Err(Refusal::Healthy),
        None => Err(Failure::UnknownHost.into()),
    }
}

async fn forward(
    shared: &Shared,
    errand: &Errand<'_>,
    to: &Destination,
    head: &mut Parts,
) -> Result<Answer, Refusal> {
    let (gate, upload, Origin { client, is_https, .. }) = (&to.gate, errand.upload, errand.origin);
    let arrival = Arrival { host: &to.host, client, is_https, body_bytes: upload.size_hint().lower() };
    gate.judge(&shared.bounds, &arrival, head).await?;
    upload.limit(gate.rules.body_bytes);
    if !take_in(shared, upload, gate.rules.buffer_bytes).await {
        let failure = if upload.is_slow() { Failure::SlowBody } else { Failure::BrokenBody };
        return Err(failure.into());
    }
    rewrite(&mut head.headers, errand, gate.rules.request_start);
    circle::note(&mut head.headers, head.version);
    gate.change_request(&mut head.headers);
    let order = Order { host: &to.host, head, upload, is_upgrade: errand.upgrade.is_some() };
    Ok(attempt(shared, &order).await?)
}

/// Takes in up to `most` bytes of a body, unless this router has no room for more of them. Whether the client did not
/// stop meanwhile.
async fn take_in(shared: &Shared, upload: &Upload, most: u64) -> bool {
    // Of a body whose length is not known, as much as may be.
    let wanted = upload.size_hint().exact().map_or(most, |bytes| bytes.min(most));
    let Ok(wanted @ 1..) = u32::try_from(wanted) else { return true };
    match Arc::clone(&shared.bodies).try_acquire_many_owned(wanted) {
        Ok(room) => upload.take_in(room).await,
        Err(_) => true,
    }
}

fn rewrite(headers: &mut HeaderMap, errand: &Errand<'_>, tells_start: bool) {
    hop::strip_request(headers);
    // The client is told to go on as soon as its body is wanted; the app need not be asked.
    headers.remove(EXPECT);
    forwarded::apply(headers, &errand.client.peer, &errand.origin, tells_start);
    if let Some(upgrade) = errand.upgrade {
        hop::set_upgrade(headers, upgrade.protocol.clone());
    }
}

/// Asks the client to come back on another connection, if there is a reason to.
fn close_if_crowded(shared: &Shared, version: Version, response: &mut Response<Content>) {
    let is_http_1 = version <= Version::HTTP_11;
    if is_http_1 && shared.wants_connections_closed() && response.status() != StatusCode::SWITCHING_PROTOCOLS
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
