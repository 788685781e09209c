//! One request: found in the table, its headers rewritten, an answer got and passed on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::attempt::{Answer, Order, attempt};
use crate::downgrade;
use crate::download::{Download, Payload};
use crate::forwarded::{self, Origin, Peer};
use crate::framing::Fault;
use crate::hop;
use crate::host::Host;
use crate::inspect::{Busy, Watch};
use crate::page::Failure;
use crate::request_id;
use crate::rules::{Arrival, Gate};
use crate::shared::Shared;
use crate::tls::Secured;
use crate::upgrade::{self, Upgrade};
use crate::upload::Upload;
use crate::visit::{Served, Visit};

/// How much of a body that nobody wants is read away, and for how long, so that its sender sees the answer.
const UNWANTED: (usize, Duration) = (16 * 1024 * 1024, Duration::from_secs(10));

/// Where controllers answer only other parts of the platform, which call them without a router in between.
const PRIVATE: [&str; 2] = ["/internal", "/v1/hooks"];

/// Who asks.
pub(crate) struct Client {
    /// The other end of the connection.
    pub(crate) peer: Peer,
    /// The connection.
    pub(crate) watch: Arc<Watch>,
    /// None without TLS.
    pub(crate) secured: Option<Secured>,
}

/// Answers one request; there is always an answer.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    client: &Client,
    mut request: Request<Incoming>,
) -> Result<Response<Served>, Infallible> {
    let started = Instant::now();
    let (busy, judged) = client.watch.begin();
    let upgrade = Upgrade::of(&mut request);
    let (mut head, body) = request.into_parts();
    let origin = Origin::of(&head.headers, &client.peer, &shared.table.load().mesh.trusted);
    let request_id = request_id::ensure(&mut head.headers, origin.is_trusted);
    let upload = Upload::new(body);
    let mut visit = Visit::begin(&upload);
    let mut gate = None;
    let errand = Errand { client, origin, upload: &upload, upgrade: upgrade.as_ref(), judged };
    let mut response = match forward(shared, &errand, &mut head, &mut gate).await {
        Ok(answer) => {
            visit.count_in(&answer.flight.endpoint().tally);
            let mut response = accept(shared, answer, upload, upgrade, busy, &head, &request_id);
            if let Some(gate) = &gate {
                gate.change_response(response.headers_mut());
            }
            response
        }
        Err(Refusal::Healthy) => plain(Bytes::new(), busy),
        Err(Refusal::Challenged(answer)) => plain(answer, busy),
        Err(Refusal::Failed(failure)) => {
            count_refused(shared, &head, &mut visit);
            refuse(&failure, upload, &head, &request_id, busy)
        }
    };
    if let Some(hsts) = gate.as_ref().and_then(|gate| gate.hsts()).filter(|_| origin.is_https) {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    let is_http_1 = head.version <= Version::HTTP_11;
    if is_http_1 && shared.wants_connections_closed() && response.status() != StatusCode::SWITCHING_PROTOCOLS
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    shared.counters.answered(head.version, response.status());
    visit.answered(response.status());
    if shared.config.access_log {
        log(&head, client, response.status(), &request_id, started);
    }
    Ok(response.map(|payload| visit.until_sent(payload)))
}

/// Counts a request that reached no endpoint where it was meant for, if anybody answers for its host.
fn count_refused(shared: &Shared, head: &Parts, visit: &mut Visit) {
    let host = Host::parse(head.headers.get(HOST).map_or(b"", HeaderValue::as_bytes));
    let table = shared.table.load();
    if let Some(service) = host.ok().as_ref().and_then(|host| table.find(host.as_str())) {
        visit.count_in(service.tallies.newest());
    }
}

/// Why a request is not passed on.
enum Refusal {
    /// It asks the router itself whether it lives.
    Healthy,
    /// A certificate authority asks whether the host is the platform's; this is the answer.
    Challenged(String),
    /// See there.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

/// What there is to a request beside its head.
struct Errand<'a> {
    client: &'a Client,
    origin: Origin,
    upload: &'a Upload,
    upgrade: Option<&'a Upgrade>,
    judged: Result<(), Fault>,
}

/// Gets an answer; leaves in `gate` what the request passed, or was stopped by, unless that changes nothing.
async fn forward(
    shared: &Shared,
    errand: &Errand<'_>,
    head: &mut Parts,
    gate: &mut Option<Arc<Gate>>,
) -> Result<Answer, Refusal> {
    errand.judged?;
    if head.version == Version::HTTP_2 {
        downgrade::check(&mut head.headers, &head.uri)?;
    }
    take_authority(head)?;
    let host = Host::parse(head.headers.get(HOST).map_or(b"", HeaderValue::as_bytes))?;
    let tells_start = admit(shared, errand, &host, head, gate)?;
    rewrite(&mut head.headers, errand, tells_start);
    if let Some(gate) = gate {
        gate.change_request(&mut head.headers);
    }
    let order = Order { host: &host, head, upload: errand.upload, is_upgrade: errand.upgrade.is_some() };
    match attempt(shared, &order).await {
        Err(Failure::UnknownHost) if head.uri.path() == "/health-check" => Err(Refusal::Healthy),
        answer => Ok(answer?),
    }
}

/// What is settled before any container is asked. Whether the app is told when the request came in.
fn admit(
    shared: &Shared,
    errand: &Errand<'_>,
    host: &Host,
    head: &Parts,
    gate: &mut Option<Arc<Gate>>,
) -> Result<bool, Refusal> {
    let (table, path) = (shared.table.load(), head.uri.path());
    if let Some(answer) = table.challenges.answer(host.as_str(), path) {
        return Err(Refusal::Challenged(answer.to_owned()));
    }
    if errand.client.secured.as_ref().is_some_and(|secured| secured.is_misdirected(&table, host)) {
        return Err(Failure::Misdirected.into());
    }
    if is_private(path) && table.is_platform(host.as_str()) {
        return Err(Failure::Private.into());
    }
    let Some(service) = table.find(host.as_str()) else { return Ok(true) };
    if !service.gate.is_plain {
        *gate = Some(Arc::clone(&service.gate));
    }
    let Origin { client, is_https, .. } = errand.origin;
    let arrival = Arrival { host, client, is_https, body_bytes: errand.upload.size_hint().lower() };
    service.gate.judge(&shared.limiter, &arrival, head)?;
    errand.upload.limit(service.rules.body_bytes);
    Ok(service.rules.request_start)
}

/// Whether controllers keep `path` to the platform. As they read it: they decode no escapes and join no slashes.
fn is_private(path: &str) -> bool {
    let is_below =
        |top: &&str| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PRIVATE.iter().any(is_below)
}

/// Makes `GET http://host/path` what it means: `GET /path` with that `Host`. Source: RFC 9112 section 3.2.2.
fn take_authority(head: &mut Parts) -> Result<(), Failure> {
    if head.method == Method::CONNECT {
        return Err(Failure::NotForwarded);
    }
    let Some(authority) = head.uri.authority() else { return Ok(()) };
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Failure::NotForwarded)?;
    let path = head.uri.path_and_query().cloned().ok_or(Failure::NotForwarded)?;
    head.headers.insert(HOST, host);
    head.uri = Uri::from(path);
    Ok(())
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

fn accept(
    shared: &Arc<Shared>,
    answer: Answer,
    upload: Upload,
    upgrade: Option<Upgrade>,
    busy: Busy,
    head: &Parts,
    request_id: &HeaderValue,
) -> Response<Payload> {
    match (upgrade::is_agreed(&answer.response), upgrade) {
        (true, Some(upgrade)) => match upgrade.accept(shared, answer, busy.clone()) {
            Ok(response) => response.map(|()| Payload::page(Bytes::new(), busy)),
            Err(failure) => refuse(&failure, upload, head, request_id, busy),
        },
        // Over HTTP/2 success would change the protocol, and the app has not agreed to that.
        (false, Some(upgrade)) if upgrade.is_connect() && answer.response.status().is_success() => {
            refuse(&Failure::NotUpgraded, upload, head, request_id, busy)
        }
        (true, None) => refuse(&Failure::Garbled, upload, head, request_id, busy),
        (false, _) => pass_on(shared, answer, upload, busy),
    }
}

fn pass_on(shared: &Shared, answer: Answer, upload: Upload, busy: Busy) -> Response<Payload> {
    let (mut head, body) = answer.response.into_parts();
    hop::strip_response(&mut head.headers);
    head.version = Version::HTTP_11;
    let download = Download::new(body, upload, shared.clock, answer.carrier, answer.flight);
    Response::from_parts(head, Payload::download(download, busy))
}

fn refuse(
    failure: &Failure,
    upload: Upload,
    head: &Parts,
    request_id: &HeaderValue,
    busy: Busy,
) -> Response<Payload> {
    let mut response = failure.page(&head.headers, request_id).map(|page| Payload::page(page, busy));
    let is_unclear = matches!(failure, Failure::Malformed(_) | Failure::BrokenBody | Failure::TooLarge);
    if is_unclear && head.version <= Version::HTTP_11 {
        // Where the next request would begin is not sure, or far away.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if upload.exists() && !matches!(failure, Failure::Malformed(_)) {
        tokio::spawn(read_away(upload));
    }
    response
}

async fn read_away(mut upload: Upload) {
    let (mut left, patience) = UNWANTED;
    let read = async {
        while let Some(Ok(frame)) = upload.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Whether it came to its end or not, it is dropped now.
    let _ = tokio::time::timeout(patience, read).await;
}

fn plain(text: impl Into<Bytes>, busy: Busy) -> Response<Payload> {
    let mut response = Response::new(Payload::page(text, busy));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn log(head: &Parts, client: &Client, status: StatusCode, request_id: &HeaderValue, started: Instant) {
    tracing::info!(
        target: "access",
        peer = %client.watch.peer,
        host = ?head.headers.get(HOST),
        method = %head.method,
        path = head.uri.path(),
        status = status.as_u16(),
        milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        request = ?request_id,
        "request"
    );
}
