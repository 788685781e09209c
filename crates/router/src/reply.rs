//! What a client gets: an app's answer, edited; or the router's own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deis_model::routing::Rules;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, Version};
use http_body::Body;
use http_body_util::BodyExt;

use crate::attempt::Answer;
use crate::compress::{self, Asked, Encoder, Offered};
use crate::download::{Download, Payload};
use crate::hop;
use crate::inspect::Busy;
use crate::page::Failure;
use crate::rules::Gate;
use crate::served::Content;
use crate::shared::Shared;
use crate::upgrade::{self, Upgrade};
use crate::upload::Upload;

/// How much of a body that nobody wants is read away, and for how long, so that its sender sees the answer.
const UNWANTED: (usize, Duration) = (16 * 1024 * 1024, Duration::from_secs(10));

/// A request that waits for its reply.
pub(crate) struct Pending<'a> {
    /// Its head as the app saw it.
    pub(crate) head: &'a Parts,
    /// Its name.
    pub(crate) request_id: &'a HeaderValue,
    /// Its body.
    pub(crate) upload: Upload,
    /// Keeps its connection busy until the reply has been sent.
    pub(crate) busy: Busy,
}

/// Passes `answer` on, as the rules of `gate` say; the protocol changes if it agrees to `upgrade`.
pub(crate) fn accept(
    shared: &Arc<Shared>,
    answer: Answer,
    gate: &Gate,
    upgrade: Option<Upgrade>,
    pending: Pending<'_>,
) -> Response<Content> {
    match (upgrade::is_agreed(&answer.response), upgrade) {
        (true, Some(upgrade)) => {
            let idle = gate.rules.timeouts.idle;
            match upgrade.accept(shared, answer, idle, pending.busy.clone()) {
                Ok(mut response) => {
                    gate.change_response(response.headers_mut());
                    response.map(|()| page(Bytes::new(), pending.busy))
                }
                Err(failure) => refuse(&failure, pending),
            }
        }
        // Over HTTP/2 success would change the protocol, and the app has not agreed to that.
        (false, Some(upgrade)) if upgrade.is_connect() && answer.response.status().is_success() => {
            refuse(&Failure::NotUpgraded, pending)
        }
        (true, None) => refuse(&Failure::Garbled, pending),
        (false, _) if !hop::is_plainly_framed(answer.response.headers()) => {
            refuse(&Failure::Garbled, pending)
        }
        (false, _) => pass_on(shared, answer, gate, pending),
    }
}

fn pass_on(shared: &Shared, answer: Answer, gate: &Gate, pending: Pending<'_>) -> Response<Content> {
    let (mut head, body) = answer.response.into_parts();
    hop::strip_response(&mut head.headers);
    head.version = Version::HTTP_11;
    gate.change_response(&mut head.headers);
    let length = match pending.head.method == Method::HEAD {
        // What HEAD learns is what GET would.
        true => hop::told_length(&head.headers),
        false => body.size_hint().exact(),
    };
    let encoder = encode(shared, &mut head, length, &gate.rules, pending.head);
    let download = Download::new(body, pending.upload, shared.clock, answer.carrier, answer.flight);
    let payload = Payload::download(download, pending.busy);
    Response::from_parts(head, Content::new(payload, encoder))
}

/// What compresses the answer with this `head`, if anything does; `head` then says so.
fn encode(
    shared: &Shared,
    head: &mut http::response::Parts,
    length: Option<u64>,
    rules: &Rules,
    request: &Parts,
) -> Option<Encoder> {
    let rules = &rules.compression;
    let verdict = compress::wants(rules, &Asked::of(request), &Offered::of(head, length));
    let (verdict, encoder) = shared.encoders.settle(verdict, rules.level);
    compress::apply(verdict, rules, &mut head.headers);
    encoder
}

/// Answers with a page that says why there is no other answer.
pub(crate) fn refuse(failure: &Failure, pending: Pending<'_>) -> Response<Content> {
    let Pending { head, request_id, upload, busy } = pending;
    let mut response = failure.page(&head.headers, request_id);
    if head.method == Method::HEAD {
        // The length is told without the body, whatever the protocol.
        let length = std::mem::take(response.body_mut()).len();
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    let mut response = response.map(|text| page(text, busy));
    let is_unclear = matches!(
        failure,
        Failure::Malformed(_)
            | Failure::BrokenBody
            | Failure::SlowBody
            | Failure::TooLarge
            | Failure::LongHead
            | Failure::LongTarget
    );
    if is_unclear && head.version <= Version::HTTP_11 {
        // Where the next request would begin is not sure, or far away.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if upload.exists() && !matches!(failure, Failure::Malformed(_)) {
        tokio::spawn(read_away(upload));
    }
    response
}

/// Answers 200 with `text`.
pub(crate) fn plain(text: impl Into<Bytes>, busy: Busy) -> Response<Content> {
    let mut response = Response::new(page(text, busy));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn page(text: impl Into<Bytes>, busy: Busy) -> Content {
    Content::new(Payload::page(text, busy), None)
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
