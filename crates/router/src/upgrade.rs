//! Changing the protocol of a connection: WebSocket and whatever else asks with `Upgrade`.

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use h2::ext::Protocol;
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::sync::oneshot;

use crate::arriving::Arriving;
use crate::attempt::Answer;
use crate::endpoint::{Endpoint, Flight};
use crate::farewell;
use crate::hop;
use crate::http2::Tube;
use crate::inspect::Busy;
use crate::page::Failure;
use crate::shared::Shared;
use crate::tunnel;

/// What is put behind a key before it is hashed. Source: RFC 6455 section 1.3.
const WEBSOCKET: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long before its end a tunnel is closed politely; half of the time that there is, if that is less.
const GOODBYE: Duration = Duration::from_secs(5);

/// A client's end of what its connection, or a part of it, turns into.
enum End {
    /// All of a connection.
    Http1(OnUpgrade),
    /// A stream of one.
    Http2(oneshot::Receiver<Tube>),
}

/// A client that asks to change the protocol.
pub(crate) struct Upgrade {
    /// To what.
    pub(crate) protocol: HeaderValue,
    client: End,
    /// What the app must answer to a key of the router's own; none if the client sent its own.
    acceptance: Option<HeaderValue>,
}

impl Upgrade {
    /// What `request` asks for, if it asks properly.
    ///
    /// Never over HTTP/1.0, which has no upgrades. Source: RFC 9110 section 7.8. Never to HTTP/2: its requests would pass unseen by this router's rules.
    pub(crate) fn of(request: &mut Request<Arriving>) -> Option<Self> {
        if request.version() == Version::HTTP_2 {
            return Self::of_connect(request);
        }
        if request.version() < Version::HTTP_11 {
            return None;
        }
        let protocol = hop::upgrade(request.headers())?.clone();
        let is_http_2 = protocol.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("h2"));
        let client = hyper::upgrade::on(request);
        (!is_http_2).then_some(Self { protocol, client: End::Http1(client), acceptance: None })
    }

    /// What a `CONNECT` over HTTP/2 asks for, and makes it what HTTP/1.1 asks with. Source: RFC 8441 section 5.
    fn of_connect(request: &mut Request<Arriving>) -> Option<Self> {
        let protocol = request.extensions().get::<Protocol>()?;
        if request.method() != Method::CONNECT || protocol.as_str() != "websocket" {
            return None;
        }
        let key = BASE64_STANDARD.encode(rand::random::<[u8; 16]>());
        let acceptance = acceptance(&key);
        let Arriving::Tunnel(client) = std::mem::replace(request.body_mut(), Arriving::Nothing) else {
            return None;
        };
        *request.method_mut() = Method::GET;
        let key = HeaderValue::try_from(key).expect("Base64 is valid in a header");
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, key);
        let protocol = HeaderValue::from_static("websocket");
        Some(Self { protocol, client: End::Http2(client), acceptance: Some(acceptance) })
    }

    /// Whether it was asked for over HTTP/2, where agreeing is answering with success.
    pub(crate) fn is_connect(&self) -> bool {
        self.acceptance.is_some()
    }

    /// Passes the app's agreement on and then bytes both ways, until nothing has moved for `idle` or either is through.
    /// The request stays under way until the tunnel ends, and so does the client's connection.
    pub(crate) fn accept(
        self,
        shared: &Arc<Shared>,
        mut answer: Answer,
        idle: Duration,
        busy: Busy,
    ) -> Result<Response<()>, Failure> {
        let endpoint = hyper::upgrade::on(&mut answer.response);
        let protocol = hop::upgrade(answer.response.headers()).ok_or(Failure::Garbled)?.clone();
        if !hop::is_asked(answer.response.headers(), &self.protocol) {
            return Err(Failure::Unasked);
        }
        let (mut head, _) = answer.response.into_parts();
        hop::strip_response(&mut head.headers);
        match self.acceptance {
            Some(expected) if head.headers.remove(SEC_WEBSOCKET_ACCEPT).as_ref() != Some(&expected) => {
                return Err(Failure::NotUpgraded);
            }
            Some(_) => head.status = StatusCode::OK,
            None => hop::set_upgrade(&mut head.headers, protocol),
        }
        let is_websocket = self.protocol.as_bytes().eq_ignore_ascii_case(b"websocket");
        let flight = answer.flight;
        let tunnel = Tunnel { shared: Arc::clone(shared), flight, is_websocket, idle, _busy: busy };
        shared.tasks.spawn(tunnel.run(self.client, endpoint));
        Ok(Response::from_parts(head, ()))
    }
}

/// What agrees to `key`. Source: RFC 6455 section 4.2.2.
fn acceptance(key: &str) -> HeaderValue {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{WEBSOCKET}").as_bytes());
    HeaderValue::try_from(BASE64_STANDARD.encode(digest)).expect("Base64 is valid in a header")
}

/// Whether an app agreed to change the protocol.
pub(crate) fn is_agreed(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

/// Bytes both ways between a client and an endpoint.
struct Tunnel {
    shared: Arc<Shared>,
    flight: Flight,
    is_websocket: bool,
    /// How long nothing may move.
    idle: Duration,
    _busy: Busy,
}

impl Tunnel {
    async fn run(self, client: End, endpoint: OnUpgrade) {
        let leaving = leaving(Arc::clone(&self.shared), Arc::clone(self.flight.endpoint()));
        let (told, over) = oneshot::channel();
        let leaving = async {
            let goodbye = leaving.await;
            // Nobody is there to hear it when the tunnel has ended.
            let _ = told.send(goodbye);
        };
        let carry = async {
            let until_leaving =
                |endpoint| farewell::until(TokioIo::new(endpoint), self.is_websocket, leaving);
            match client {
                End::Http1(client) => {
                    let (client, endpoint) = tokio::try_join!(client, endpoint)?;
                    tunnel::run(TokioIo::new(client), until_leaving(endpoint), self.idle).await;
                }
                End::Http2(client) => {
                    let endpoint = endpoint.await?;
                    // Nothing comes if the client is gone by now.
                    if let Ok(client) = client.await {
                        tunnel::run(client, until_leaving(endpoint), self.idle).await;
                    }
                }
            }
            Ok::<_, hyper::Error>(())
        };
        tokio::select! {
            carried = carry => if let Err(error) = carried {
                tracing::debug!(%error, "a connection broke while it changed its protocol");
            },
            () = goodbye_said(over) => {}
            () = self.shared.ending.cancelled() => {}
        }
    }
}

/// Ends when a tunnel to `endpoint` has to end soon, and tells how soon: its container is about to be stopped after it
/// left the table, or this router is about to end.
pub(crate) async fn leaving(shared: Arc<Shared>, endpoint: Arc<Endpoint>) -> Duration {
    let retired = async {
        endpoint.leaving().cancelled().await;
        match shared.table.load().platform.drain_seconds {
            Some(seconds) => Duration::from_secs(seconds.into()),
            // Nobody knows when it ends.
            None => std::future::pending().await,
        }
    };
    let patience = tokio::select! {
        patience = retired => patience,
        // Before that others are still let in, and so may those stay who are here.
        () = shared.shut.cancelled() => shared.config.timeouts.shutdown,
    };
    let goodbye = GOODBYE.min(patience / 2);
    tokio::time::sleep(patience - goodbye).await;
    goodbye
}

/// Ends when the time that `told` tells is over.
async fn goodbye_said(told: oneshot::Receiver<Duration>) {
    match told.await {
        Ok(goodbye) => tokio::time::sleep(goodbye).await,
        Err(_ended) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_agreed_to_as_in_the_example_of_the_rfc() {
        assert_eq!(acceptance("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
