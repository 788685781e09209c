//! One request and its answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;

use super::brief::{self, Brief};
use super::full;
use super::streamed::Streamed;
use crate::course::Course;
use crate::proxy::Client;
use crate::shared::Shared;

/// One request that is to be answered.
pub(super) struct Exchange<'a> {
    /// See there.
    pub(super) shared: &'a Arc<Shared>,
    /// Who asks.
    pub(super) client: &'a Client,
    /// Where the answer goes.
    pub(super) respond: SendResponse<Bytes>,
}

impl Exchange<'_> {
    /// Answers `request`: the short way if it is a common one to an app that wants nothing special.
    pub(super) async fn answer(mut self, request: Request<RecvStream>) {
        let Self { shared, client, .. } = self;
        let (head, body) = request.into_parts();
        let (mut body, started) = (Streamed::new(body, &head.headers), Instant::now());
        if shared.config.short_way
            && let Some((mut ask, whole)) = brief::read(shared, client, &head, &mut body).await
        {
            let host = ask.host;
            let mut course = Course::new(shared, host.as_str(), ask.is_idempotent);
            if let Some(first) = ask.first_place(&mut course, shared) {
                drop((head, body));
                let brief = Brief::new(shared, client, &mut self.respond, whole);
                return brief.answer(&mut ask, &mut course, first, started).await;
            }
            body.put_back(&whole);
        }
        // Boxed, as it is large and most requests never come here.
        Box::pin(full::answer(shared, client, head, body, self.respond)).await;
    }
}
