//! Getting an answer to one request with hyper: a place on its [`Course`], a connection to there, the exchange.

use deis_model::routing::Protocol;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{Request, Response, Version};
use hyper::body::Incoming;

use crate::affinity::Wish;
use crate::carrier::Carrier;
use crate::course::{Course, Place, Setback, is_idempotent, may_repeat};
use crate::endpoint::Flight;
use crate::host::Host;
use crate::interim::Herald;
use crate::link::{ExchangeError, Link};
use crate::page::Failure;
use crate::reach::reach;
use crate::shared::Shared;
use crate::upload::Upload;

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
    pub(crate) carrier: Carrier,
    /// Counts the request until dropped.
    pub(crate) flight: Flight,
}

/// Gets an answer to `order`.
pub(crate) async fn attempt(shared: &Shared, order: &Order<'_>) -> Result<Answer, Failure> {
    let course = Course::new(shared, order.host.as_str(), is_idempotent(&order.head.method));
    let course = course.wishing(wish(shared, order));
    let mut attempt = Attempt { shared, order, course };
    loop {
        match attempt.course.place()? {
            Some(place) => {
                if let Some(answer) = attempt.send(place).await? {
                    return Ok(answer);
                }
            }
            None => attempt.course.wait().await?,
        }
    }
}

/// Which endpoint the request belongs to.
fn wish(shared: &Shared, order: &Order<'_>) -> Wish {
    let table = shared.table.load();
    let affinity = table.find(order.host.as_str()).and_then(|service| service.rules.affinity.as_ref());
    let cookies = order.head.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    Wish::of(affinity, order.head.uri.query(), cookies)
}

struct Attempt<'a> {
    shared: &'a Shared,
    order: &'a Order<'a>,
    course: Course<'a>,
}

impl Attempt<'_> {
    async fn send(&mut self, place: Place) -> Result<Option<Answer>, Failure> {
        match place.protocol {
            Protocol::Http1 => self.send_alone(place).await,
            Protocol::H2c => self.send_along(place).await,
        }
    }

    /// Over a connection of its own.
    async fn send_alone(&mut self, place: Place) -> Result<Option<Answer>, Failure> {
        let Some(mut link) = self.link(&place).await? else { return Ok(None) };
        let (is_new, flight) = (!link.is_used, place.flight);
        match tokio::time::timeout(place.answer, link.exchange(self.request())).await {
            Ok(Ok(response)) => {
                self.course.answered(flight.endpoint(), response.status());
                Ok(Some(self.answer(response, Carrier::Link(link), flight)))
            }
            Ok(Err(error)) => self.judge(&flight, &error, is_new).map(|()| None),
            Err(_elapsed) => Err(self.course.late(flight.endpoint())),
        }
    }

    /// Along with others over one connection.
    async fn send_along(&mut self, place: Place) -> Result<Option<Answer>, Failure> {
        let endpoint = place.flight.endpoint();
        let take = || endpoint.trunks.take(endpoint.address, place.connect);
        let Some(lane) = reach(self.shared, &mut self.course, endpoint, take).await? else { return Ok(None) };
        let flight = place.flight;
        self.order.upload.allow_streams();
        match tokio::time::timeout(place.answer, lane.exchange(self.request())).await {
            Ok(Ok(response)) => {
                self.course.answered(flight.endpoint(), response.status());
                Ok(Some(self.answer(response, Carrier::Lane(lane), flight)))
            }
            Ok(Err(error)) => self.judge(&flight, &error, false).map(|()| None),
            Err(_elapsed) => Err(self.course.late(flight.endpoint())),
        }
    }

    /// The answer, with what the client needs to come back to the same endpoint.
    fn answer(&self, mut response: Response<Incoming>, carrier: Carrier, flight: Flight) -> Answer {
        // As the app is told.
        let proto = self.order.head.headers.get("x-forwarded-proto");
        let is_secure = proto.is_some_and(|proto| proto == "https");
        if let Some(cookie) = self.course.cookie(flight.endpoint(), is_secure) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Answer { response, carrier, flight }
    }

    /// A connection to the endpoint, kept or new; none if it accepts none.
    async fn link(&mut self, place: &Place) -> Result<Option<Link>, Failure> {
        let endpoint = place.flight.endpoint();
        if let Some(longest) = self.course.longest_idle().filter(|_| !self.order.is_upgrade)
            && let Some(link) = endpoint.pool.take(self.shared.clock.now(), longest).await
        {
            return Ok(Some(link));
        }
        let open = || Link::connect(endpoint.address, endpoint.tls.as_ref(), place.connect);
        let mut link = reach(self.shared, &mut self.course, endpoint, open).await?;
        if let Some(link) = link.as_mut().filter(|_| self.order.is_upgrade) {
            link.let_go_for_upgrade();
        }
        Ok(link)
    }

    fn request(&self) -> Request<Upload> {
        let mut request = Request::new(self.order.upload.clone());
        *request.method_mut() = self.order.head.method.clone();
        *request.uri_mut() = self.order.head.uri.clone();
        *request.headers_mut() = self.order.head.headers.clone();
        *request.version_mut() = Version::HTTP_11;
        Herald::listen(self.order.head, &mut request);
        request
    }

    /// Whether to go on after `error`.
    fn judge(&mut self, flight: &Flight, error: &ExchangeError, is_new: bool) -> Result<(), Failure> {
        let (endpoint, upload) = (flight.endpoint(), self.order.upload);
        tracing::debug!(address = %endpoint.address, ?error, is_new, "an exchange failed");
        if upload.is_too_large() {
            return Err(Failure::TooLarge);
        }
        if upload.is_slow() {
            return Err(Failure::SlowBody);
        }
        if upload.is_broken() {
            return Err(Failure::BrokenBody);
        }
        let setback = match error {
            ExchangeError::Lost(_) => Setback::Lost,
            ExchangeError::Garbled(_) => Setback::Garbled,
            ExchangeError::Unsent(_) => Setback::Unsent,
            ExchangeError::Untaken(_) if !upload.is_touched() => Setback::Unsent,
            ExchangeError::Untaken(_) | ExchangeError::Unanswered(_) => Setback::Unanswered { is_new },
        };
        let may_repeat = may_repeat(is_idempotent(&self.order.head.method), upload.is_touched());
        self.course.failed(endpoint, setback, may_repeat)
    }
}
