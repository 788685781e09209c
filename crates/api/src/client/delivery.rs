//! Getting one request answered by one of several peers.
//!
//! | what happens | then |
//! |---|---|
//! | no connection | the next peer |
//! | the connection breaks before an answer | the next peer, if the request is idempotent |
//! | 502 or 503 without body: nobody there to answer yet, or any more | the next peer, if the request is idempotent |
//! | 421: only the leader answers this | the peer that `X-Deis-Leader` names, else the next; if all say so, all again after a pause |
//! | no answer in time | an error, as nobody waits longer; the next request begins with the next peer |
//!
//! A request whose body is a stream is sent once, as it cannot be sent again.

use std::time::Duration;

use http::header::HeaderName;
use reqwest::{Client, Method, Request, Response, StatusCode, Url};
use url::Position;

use super::{CallError, Peers};

/// Where a follower says that the leader is: a base URL.
pub const LEADER: HeaderName = HeaderName::from_static("x-deis-leader");

/// The pauses after which all peers are asked again when none of them leads.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(900)];

/// One request on its way.
pub(super) struct Delivery<'a> {
    http: &'a Client,
    peers: &'a Peers,
    /// Who was asked since the last pause.
    asked: Vec<bool>,
    pauses: std::array::IntoIter<Duration, 3>,
    /// Whether somebody said since the last pause that another one leads.
    is_led: bool,
}

/// What asking one peer came to.
enum Outcome {
    Answered(Response),
    /// Another may do better: whom to ask if it is known, and what to say if nobody does.
    Elsewhere(Option<usize>, Setback),
    Failed(CallError),
}

/// What to report if no peer does better.
enum Setback {
    Unreachable(CallError),
    Refused(Response),
}

impl<'a> Delivery<'a> {
    /// A delivery to one of `peers`.
    pub(super) fn new(http: &'a Client, peers: &'a Peers) -> Self {
        let asked = vec![false; peers.count()];
        Self { http, peers, asked, pauses: PAUSES.into_iter(), is_led: false }
    }

    /// Delivers `request`; any answer counts, also one that refuses.
    pub(super) async fn deliver(mut self, mut request: Request) -> Result<Response, CallError> {
        let mut peer = self.peers.current();
        loop {
            let again = if self.peers.count() > 1 { request.try_clone() } else { None };
            self.note_asked(peer);
            let (leader, setback) = match self.ask(peer, request, again.is_some()).await {
                Outcome::Answered(response) => return Ok(response),
                Outcome::Failed(error) => return Err(error),
                Outcome::Elsewhere(leader, setback) => (leader, setback),
            };
            let Some(again) = again else { return setback.report() };
            let Some(next) = self.next(leader).await else { return setback.report() };
            (peer, request) = (next, again);
        }
    }

    async fn ask(&mut self, peer: usize, mut request: Request, may_go_on: bool) -> Outcome {
        let base = self.peers.base(peer);
        if may_go_on && let Err(error) = redirect(&mut request, base) {
            return Outcome::Failed(error);
        }
        let is_idempotent = is_idempotent(request.method());
        match self.http.execute(request).await {
            Ok(response) if response.status() == StatusCode::MISDIRECTED_REQUEST => {
                self.is_led = true;
                Outcome::Elsewhere(self.leader(&response), Setback::Refused(response))
            }
            Ok(response) if is_idempotent && is_empty_handed(&response) => {
                self.peers.pass_over(peer);
                Outcome::Elsewhere(None, Setback::Refused(response))
            }
            Ok(response) => {
                self.peers.keep(peer);
                Outcome::Answered(response)
            }
            Err(error) => {
                self.peers.pass_over(peer);
                let may_repeat = error.is_connect() || (is_idempotent && !error.is_timeout());
                let error = CallError::unreachable(&error, base);
                if may_repeat {
                    Outcome::Elsewhere(None, Setback::Unreachable(error))
                } else {
                    Outcome::Failed(error)
                }
            }
        }
    }

    /// Whom to ask next: the leader, one who was not asked yet, or after a pause the first again.
    async fn next(&mut self, leader: Option<usize>) -> Option<usize> {
        let is_new = |peer: &usize| self.asked.get(*peer) == Some(&false);
        if let Some(next) = leader.filter(is_new).or_else(|| self.peers.in_order().find(is_new)) {
            return Some(next);
        }
        if !std::mem::take(&mut self.is_led) {
            return None;
        }
        tokio::time::sleep(self.pauses.next()?).await;
        self.asked.fill(false);
        Some(leader.unwrap_or_else(|| self.peers.current()))
    }

    fn note_asked(&mut self, peer: usize) {
        if let Some(asked) = self.asked.get_mut(peer) {
            *asked = true;
        }
    }

    fn leader(&self, response: &Response) -> Option<usize> {
        self.peers.find(response.headers().get(LEADER)?.to_str().ok()?)
    }
}

impl Setback {
    fn report(self) -> Result<Response, CallError> {
        match self {
            Self::Unreachable(error) => Err(error),
            Self::Refused(response) => Ok(response),
        }
    }
}

/// Points `request` at `base`.
fn redirect(request: &mut Request, base: &str) -> Result<(), CallError> {
    let url = format!("{base}{}", &request.url()[Position::BeforePath..]);
    *request.url_mut() =
        Url::parse(&url).map_err(|error| CallError::Unreachable { url, reason: error.to_string() })?;
    Ok(())
}

/// Whether somebody answers in whose place nobody is: proxies do so, components say why.
fn is_empty_handed(response: &Response) -> bool {
    let is_absent = matches!(response.status(), StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE);
    is_absent && response.content_length() == Some(0)
}

/// Source: RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    )
}
