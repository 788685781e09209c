//! Getting an answer to one request: which endpoint, which connection, and what may be tried again.
//!
//! | what happens | then |
//! |---|---|
//! | connection refused or timed out | that endpoint is out for a while; another is tried, each once |
//! | an endpoint's host is lost before it answers | the same, if the request can be repeated; else 502 |
//! | all tried | a short wait, in which the table may change, then all again, up to `timeouts.reach`; then 502 |
//! | a kept connection turns out closed before the request was sent | another connection |
//! | the connection ends without an answer | again, if the request can be repeated: see [`Attempt::can_repeat`] |
//! | no answer in time, or not HTTP | 504, 502 |

use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;

use crate::balance::{Tried, pick};
use crate::clock::millis;
use crate::endpoint::{Endpoint, Flight};
use crate::host::Host;
use crate::link::{ExchangeError, Link};
use crate::page::Failure;
use crate::shared::Shared;
use crate::upload::Upload;

/// How often a request that was sent over a new connection is sent again: once, so that one which kills the process
/// that serves it does not kill all of them.
const RESENDS: u32 = 1;

/// How often kept connections may turn out dead before the request gives up: far more than happens by chance.
const DEAD_LINKS: u32 = 8;

/// The first wait when no endpoint accepts; each further one is longer by as much.
const WAIT: Duration = Duration::from_millis(25);

/// One request to be answered.
pub(crate) struct Order<'a> {
    /// Which service.
    pub(crate) host: &'a Host,
    /// The head as the app shall see it.
    pub(crate) head: &'a Parts,
    /// The body.
    pub(crate) upload: &'a Upload,
    /// Whether it asks to change the protocol.
    pub(crate) is_upgrade: bool,
}

/// The head of an answer, and what its body comes over.
pub(crate) struct Answer {
    /// The head; the body arrives while the link is driven.
    pub(crate) response: Response<Incoming>,
    /// The connection.
    pub(crate) link: Link,
    /// Counts the request until dropped.
    pub(crate) flight: Flight,
}

/// Gets an answer to `order`.
pub(crate) async fn attempt(shared: &Shared, order: &Order<'_>) -> Result<Answer, Failure> {
    attempt_all(shared, order).await.map_err(|failure| match failure {
        Failure::NoEndpoints | Failure::Unreachable
            if shared.table.load().is_platform(order.host.as_str()) =>
        {
            Failure::NoController
        }
        failure => failure,
    })
}

async fn attempt_all(shared: &Shared, order: &Order<'_>) -> Result<Answer, Failure> {
    let mut attempt = Attempt::new(shared, order);
    loop {
        match attempt.place()? {
            Some(place) => {
                if let Some(answer) = attempt.send(place).await? {
                    return Ok(answer);
                }
            }
            None => attempt.wait().await?,
        }
    }
}

/// Where one try goes.
struct Place {
    flight: Flight,
    /// How long it may take to accept a connection.
    connect: Duration,
    /// How long it may take to answer.
    answer: Duration,
}

struct Attempt<'a> {
    shared: &'a Shared,
    order: &'a Order<'a>,
    started: Instant,
    tried: Tried,
    waits: u32,
    resends: u32,
    dead_links: u32,
}

impl<'a> Attempt<'a> {
    fn new(shared: &'a Shared, order: &'a Order<'a>) -> Self {
        let tried = Tried::default();
        Self { shared, order, started: Instant::now(), tried, waits: 0, resends: 0, dead_links: 0 }
    }

    /// A place at an endpoint; none if all were tried.
    fn place(&self) -> Result<Option<Place>, Failure> {
        loop {
            let table = self.shared.table.load();
            let service = table.find(self.order.host.as_str()).ok_or(Failure::UnknownHost)?;
            if service.endpoints.is_empty() {
                return Err(Failure::NoEndpoints);
            }
            let Some(endpoint) = pick(&service.endpoints, &self.tried, self.shared.clock.now()) else {
                return Ok(None);
            };
            // An endpoint that refuses to be boarded has left the table after this one was loaded: the next differs.
            if let Some(flight) = endpoint.board() {
                let timeouts = &self.shared.config.timeouts;
                let has_others = self.tried.leave_several(&service.endpoints);
                let connect = if has_others { timeouts.connect_if_others } else { timeouts.connect };
                return Ok(Some(Place { flight, connect, answer: service.patience }));
            }
        }
    }

    async fn send(&mut self, place: Place) -> Result<Option<Answer>, Failure> {
        let Some(mut link) = self.link(&place).await else { return Ok(None) };
        let (is_new, flight) = (!link.is_used, place.flight);
        match tokio::time::timeout(place.answer, link.exchange(self.request())).await {
            Ok(Ok(response)) => Ok(Some(Answer { response, link, flight })),
            Ok(Err(error)) => self.judge(&flight, error, is_new).map(|()| None),
            Err(_elapsed) => Err(Failure::TimedOut),
        }
    }

    /// A connection to the endpoint, kept or new; none if it accepts none.
    async fn link(&mut self, place: &Place) -> Option<Link> {
        let (endpoint, timeouts) = (place.flight.endpoint(), &self.shared.config.timeouts);
        if self.may_reuse() {
            let longest = if is_idempotent(&self.order.head.method) {
                timeouts.link_idle
            } else {
                timeouts.link_idle_unrepeatable
            };
            if let Some(link) = endpoint.pool.take(self.shared.clock.now(), millis(longest)).await {
                return Some(link);
            }
        }
        match Link::connect(endpoint.address, endpoint.tls.as_ref(), place.connect).await {
            Ok(mut link) => {
                endpoint.ejection.readmit();
                if self.order.is_upgrade {
                    link.let_go_for_upgrade();
                }
                Some(link)
            }
            Err(error) => {
                tracing::debug!(address = %endpoint.address, %error, "an endpoint does not accept connections");
                self.give_up(endpoint);
                None
            }
        }
    }

    /// Takes the endpoint out; this request does not try it again soon.
    fn give_up(&mut self, endpoint: &Endpoint) {
        endpoint.ejection.eject(self.shared.clock.now());
        self.shared.counters.ejections.add();
        self.tried.add(endpoint.address);
    }

    /// A request that already met a dead connection gets a new one: the others are likely dead too.
    fn may_reuse(&self) -> bool {
        !self.order.is_upgrade && self.dead_links == 0 && self.resends == 0
    }

    fn request(&self) -> Request<Upload> {
        let mut request = Request::new(self.order.upload.clone());
        *request.method_mut() = self.order.head.method.clone();
        *request.uri_mut() = self.order.head.uri.clone();
        *request.headers_mut() = self.order.head.headers.clone();
        *request.version_mut() = Version::HTTP_11;
        request
    }

    /// Whether to go on after `error`.
    fn judge(&mut self, flight: &Flight, error: ExchangeError, is_new: bool) -> Result<(), Failure> {
        let endpoint = flight.endpoint();
        tracing::debug!(address = %endpoint.address, error = ?error, is_new, "an exchange failed");
        self.shared.counters.endpoint_failures.add();
        if self.order.upload.is_too_large() {
            return Err(Failure::TooLarge);
        }
        if self.order.upload.is_broken() {
            return Err(Failure::BrokenBody);
        }
        match error {
            ExchangeError::Lost(_) => {
                self.give_up(endpoint);
                endpoint.pool.reap(self.shared.clock.now(), 0);
                if self.can_repeat() { Ok(()) } else { Err(Failure::NoAnswer) }
            }
            ExchangeError::Garbled(_) => Err(Failure::Garbled),
            ExchangeError::Unsent(_) => self.count_dead_link(),
            ExchangeError::Unanswered(_) if !self.can_repeat() => Err(Failure::NoAnswer),
            ExchangeError::Unanswered(_) if !is_new => self.count_dead_link(),
            ExchangeError::Unanswered(_) => self.count_resend(endpoint.address),
        }
    }

    fn count_dead_link(&mut self) -> Result<(), Failure> {
        self.dead_links += 1;
        self.shared.counters.retries.add();
        if self.dead_links > DEAD_LINKS { Err(Failure::NoAnswer) } else { Ok(()) }
    }

    fn count_resend(&mut self, address: std::net::SocketAddr) -> Result<(), Failure> {
        self.resends += 1;
        self.shared.counters.retries.add();
        self.tried.add(address);
        if self.resends > RESENDS { Err(Failure::NoAnswer) } else { Ok(()) }
    }

    /// Whether sending again does no harm: nothing of its body was sent, and either the method is idempotent or
    /// there is a body to come without which no app can have acted.
    fn can_repeat(&self) -> bool {
        let upload = self.order.upload;
        !upload.is_touched() && (upload.exists() || is_idempotent(&self.order.head.method))
    }

    /// Waits for the table or an endpoint to change, then all may be tried again.
    async fn wait(&mut self) -> Result<(), Failure> {
        if self.started.elapsed() >= self.shared.config.timeouts.reach {
            return Err(if self.resends > 0 { Failure::NoAnswer } else { Failure::Unreachable });
        }
        self.waits += 1;
        let mut changed = self.shared.changed.subscribe();
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(WAIT * self.waits) => {}
        }
        self.tried.clear();
        Ok(())
    }
}

/// Source: RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    )
}
