//! Changing the protocol of a connection: WebSocket and whatever else asks with `Upgrade`.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::attempt::Answer;
use crate::endpoint::Flight;
use crate::hop;
use crate::page::Failure;
use crate::shared::Shared;
use crate::tunnel;

/// A client that asks to change the protocol.
pub(crate) struct Upgrade {
    /// To what.
    pub(crate) protocol: HeaderValue,
    client: OnUpgrade,
}

impl Upgrade {
    /// What `request` asks for, if it asks properly.
    ///
    /// Never HTTP/2: its requests would pass unseen by this router's rules.
    pub(crate) fn of(request: &mut Request<Incoming>) -> Option<Self> {
        let protocol = hop::upgrade(request.headers())?.clone();
        let is_http_2 = protocol.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("h2"));
        let client = hyper::upgrade::on(request);
        (!is_http_2).then_some(Self { protocol, client })
    }

    /// Passes the app's agreement on and then bytes both ways. The request stays under way until the tunnel ends.
    pub(crate) fn accept(self, shared: &Arc<Shared>, mut answer: Answer) -> Result<Response<()>, Failure> {
        let endpoint = hyper::upgrade::on(&mut answer.response);
        let protocol = hop::upgrade(answer.response.headers()).ok_or(Failure::Garbled)?.clone();
        let (mut head, _) = answer.response.into_parts();
        hop::strip_response(&mut head.headers);
        hop::set_upgrade(&mut head.headers, protocol);
        shared.tasks.spawn(run(Arc::clone(shared), self.client, endpoint, answer.flight));
        Ok(Response::from_parts(head, ()))
    }
}

/// Whether an app agreed to change the protocol.
pub(crate) fn is_agreed(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

async fn run(shared: Arc<Shared>, client: OnUpgrade, endpoint: OnUpgrade, flight: Flight) {
    let carry = async {
        let (client, endpoint) = tokio::try_join!(client, endpoint)?;
        let idle = shared.config.timeouts.answer;
        tunnel::run(TokioIo::new(client), TokioIo::new(endpoint), idle).await;
        Ok::<_, hyper::Error>(())
    };
    tokio::select! {
        carried = carry => if let Err(error) = carried {
            tracing::debug!(%error, "a connection broke while it changed its protocol");
        },
        () = shared.ending.cancelled() => {}
    }
    drop(flight);
}
