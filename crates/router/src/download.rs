//! An answer on its way to the client, streamed; its end gives back the connection it came over.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::endpoint::Flight;
use crate::inspect::Busy;
use crate::upload::Upload;

/// The body of whatever the router answers.
pub(crate) struct Payload {
    content: Content,
    _busy: Busy,
}

enum Content {
    Page(Full<Bytes>),
    Download(Download),
}

/// An app's answer that is arriving.
pub(crate) struct Download {
    body: Incoming,
    upload: Upload,
    clock: Clock,
    /// None once the answer has ended and the link went back to its pool.
    under_way: Option<(Carrier, Flight)>,
    /// An error that is to be passed on next.
    failed: Option<Polled>,
}

type Polled = Poll<Option<hyper::Result<Frame<Bytes>>>>;

impl Download {
    /// `body`, arriving over `carrier`; `flight` counts it.
    pub(crate) fn new(
        body: Incoming,
        upload: Upload,
        clock: Clock,
        mut carrier: Carrier,
        flight: Flight,
    ) -> Self {
        // The client may read nothing before it has sent all, and then nobody would drive the link.
        if !upload.is_sent() {
            carrier.let_go();
        }
        Self { body, upload, clock, under_way: Some((carrier, flight)), failed: None }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Polled {
        if let Some(error) = self.failed.take() {
            return error;
        }
        let polled = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => self.drive(context),
            ready => ready,
        };
        match &polled {
            Poll::Ready(None) => self.end(),
            // The server side asks no more after the last byte of a known length.
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.end(),
            Poll::Ready(Some(Err(_))) => return self.fail(context, polled),
            _ => {}
        }
        polled
    }

    /// Passes an error on only when asked again: the server side throws away what it has not sent when it learns of
    /// one, and the client shall see as much of the answer as came.
    fn fail(&mut self, context: &Context<'_>, error: Polled) -> Polled {
        self.under_way = None;
        self.failed = Some(error);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn drive(&mut self, context: &mut Context<'_>) -> Polled {
        if let Some((carrier, _)) = &mut self.under_way {
            carrier.drive(context);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn end(&mut self) {
        if let Some((carrier, flight)) = self.under_way.take()
            && self.upload.is_sent()
        {
            carrier.give_back(flight.endpoint(), self.clock.now());
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // An answer without a body is never polled.
        if self.body.is_end_stream() {
            self.end();
        }
    }
}

impl Payload {
    /// A body made by the router.
    pub(crate) fn page(body: impl Into<Bytes>, busy: Busy) -> Self {
        Self { content: Content::Page(Full::new(body.into())), _busy: busy }
    }

    /// An app's.
    pub(crate) fn download(download: Download, busy: Busy) -> Self {
        Self { content: Content::Download(download), _busy: busy }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut self.content {
            Content::Page(page) => Pin::new(page).poll_frame(context).map_err(|never| match never {}),
            Content::Download(download) => download.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Page(page) => page.is_end_stream(),
            Content::Download(download) => download.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Page(page) => page.size_hint(),
            Content::Download(download) => download.body.size_hint(),
        }
    }
}
