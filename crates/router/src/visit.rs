//! One request as metrics see it, from its head to the last byte of its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};

use crate::download::Payload;
use crate::metrics::{Exchange, Tally};
use crate::upload::Upload;

/// A request that is being answered; counted when dropped, which is when its answer has ended or broken off.
pub(crate) struct Visit {
    started: Instant,
    upload: Upload,
    /// None until somebody is found who answers for its host.
    tally: Option<Arc<Tally>>,
    status: StatusCode,
    first_byte: Duration,
    sent: u64,
}

/// An answer's body that keeps its visit going.
pub(crate) struct Served {
    payload: Payload,
    visit: Visit,
}

impl Visit {
    /// A visit that begins now and brings `upload`.
    pub(crate) fn begin(upload: &Upload) -> Self {
        let (upload, status) = (upload.clone(), StatusCode::OK);
        Self { started: Instant::now(), upload, tally: None, status, first_byte: Duration::ZERO, sent: 0 }
    }

    /// Counts it in `tally`.
    pub(crate) fn count_in(&mut self, tally: &Arc<Tally>) {
        self.tally = Some(Arc::clone(tally));
    }

    /// The head of the answer is there.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status;
        self.first_byte = self.started.elapsed();
    }

    /// Goes on until `payload` has been sent.
    pub(crate) fn until_sent(self, payload: Payload) -> Served {
        Served { payload, visit: self }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Some(tally) = &self.tally else { return };
        tally.record(&Exchange {
            status: self.status,
            first_byte: self.first_byte,
            whole: self.started.elapsed(),
            received: self.upload.received(),
            sent: self.sent,
        });
    }
}

impl Body for Served {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.payload).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.visit.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
