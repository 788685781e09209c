//! Any request's way: through the same rules as over HTTP/1, and back.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::header::{CONTENT_LENGTH, DATE, EXPECT, HeaderMap, HeaderValue, TE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::delivery::{Delivery, Patience, Undelivered};
use super::streamed::Streamed;
use super::tube::Tube;
use crate::arriving::Arriving;
use crate::h1::date;
use crate::interim::Herald;
use crate::proxy::{self, Client};
use crate::served::Served;
use crate::shared::Shared;

/// Answers the request with this `head` and `body`.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    client: &Client,
    head: Parts,
    mut body: Streamed,
    mut respond: SendResponse<Bytes>,
) {
    // One that is to become a tunnel has no body that a length could be told of.
    if head.method == Method::CONNECT && head.headers.contains_key(CONTENT_LENGTH) {
        return respond.send_reset(Reason::PROTOCOL_ERROR);
    }
    let herald = Herald::default();
    if expects_to_go_on(&head.headers) {
        body.announce(&herald);
    }
    let (arriving, tunnel) = if head.method == Method::CONNECT {
        let (give, take) = oneshot::channel();
        (Arriving::Tunnel(take), Some((give, body)))
    } else {
        (Arriving::Http2(body), None)
    };
    let mut request = Request::from_parts(head, arriving);
    request.extensions_mut().insert(herald.clone());
    let serving = proxy::serve(shared, client, request);
    let Some(mut response) = until_left(serving, &herald, &mut respond).await else {
        return;
    };
    let headers = response.headers_mut();
    headers.entry(DATE).or_insert_with(date::value);
    // Of no meaning in an answer, and not allowed here. Source: RFC 9113 section 8.2.2.
    headers.remove(TE);
    match tunnel {
        Some((give, body)) if response.status().is_success() => {
            response.headers_mut().remove(CONTENT_LENGTH);
            let (head, _served) = response.into_parts();
            if let Ok(stream) = respond.send_response(Response::from_parts(head, ()), false) {
                // Whoever wanted it has given up if it is not taken, and then the stream is reset.
                drop(give.send(Tube::new(stream, body.into_stream())));
            }
        }
        _ => {
            if let Err(error) = deliver(shared, response, respond).await {
                tracing::debug!(%error, "an answer broke off");
            }
        }
    }
}

/// Whether a client waits to hear that its body is wanted.
fn expects_to_go_on(headers: &HeaderMap) -> bool {
    headers.get_all(EXPECT).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// What `serving` brings, unless the client leaves before; what `herald` hears meanwhile is passed on.
async fn until_left<T, E>(
    serving: impl Future<Output = Result<T, E>>,
    herald: &Herald,
    respond: &mut SendResponse<Bytes>,
) -> Option<T> {
    let mut serving = pin!(serving);
    poll_fn(|context| {
        let (served, news) = (serving.as_mut().poll(context), herald.news(context));
        let is_waiting = served.is_pending() || !news.is_empty();
        if is_waiting && respond.poll_reset(context).is_ready() {
            return Poll::Ready(None);
        }
        // Whoever is answered already is not told to go on.
        let is_of_use =
            |interim: &Response<()>| served.is_pending() || interim.status() != StatusCode::CONTINUE;
        for interim in news.into_iter().filter(is_of_use) {
            // It fails when the connection has ended, which whoever answers notices.
            let _ = respond.send_informational(interim);
        }
        served.map(Result::ok)
    })
    .await
}

async fn deliver(
    shared: &Shared,
    response: Response<Served>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Undelivered> {
    let (mut head, mut body) = response.into_parts();
    let patience = Patience { shared, idle: body.idle };
    let is_over = body.is_end_stream();
    if let Some(length) = body.size_hint().exact().filter(|_| !is_over) {
        head.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    let stream = respond.send_response(Response::from_parts(head, ()), is_over)?;
    if is_over {
        return Ok(());
    }
    let mut delivery = Delivery::new(stream, patience);
    loop {
        let mut alarm = Alarm::new(delivery.idle());
        let frame = poll_fn(|context| match Pin::new(&mut body).poll_frame(context) {
            Poll::Pending if delivery.is_left(context) => Poll::Ready(Err(Undelivered::Left)),
            Poll::Pending if alarm.is_due(context) => Poll::Ready(Err(Undelivered::Stopped)),
            polled => polled.map(Ok),
        });
        let frame = match frame.await {
            Err(error @ Undelivered::Stopped) => {
                delivery.break_off().await;
                return Err(error);
            }
            frame => frame?,
        };
        match frame {
            None => return delivery.data(Bytes::new(), true).await,
            Some(Err(error)) => {
                tracing::debug!(%error, "an answer broke off");
                delivery.break_off().await;
                return Ok(());
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let is_last = body.is_end_stream();
                    delivery.data(data, is_last).await?;
                    if is_last {
                        return Ok(());
                    }
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return delivery.trailers(trailers);
                }
            },
        }
    }
}
