//! Interim answers: what an app says before it answers, such as what a page will need (103 Early Hints).
//!
//! All are passed on to visitors who speak HTTP/1.1 by the short way or HTTP/2, but for 100 where this router has told its
//! client itself to go on: that comes once, whoever says it. They end here for visitors who take the long way of HTTP/1, as
//! the library cannot send any, and of apps that speak HTTP/2, as it tells of none. Source: RFC 9110 section 15.2 and
//! RFC 8297.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures::task::AtomicWaker;
use http::header::{CONTENT_LENGTH, HeaderMap, TE};
use http::request::Parts;
use http::{Request, Response, StatusCode};

use crate::hop;

/// How many there may be before one answer, and how many bytes their heads may have in all: nothing but the client's
/// reading limits how fast they come.
const MOST: u32 = 256;
const MOST_BYTES: usize = 64 * 1024;

/// How many have come before one answer.
#[derive(Debug, Default)]
pub(crate) struct Interims {
    count: u32,
    bytes: usize,
}

impl Interims {
    /// Counts one more of this length; whether it is not too much.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.count <= MOST && self.bytes <= MOST_BYTES
    }
}

/// Passes interim answers on from where they are heard to where the client is told. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Herald(Arc<Inner>);

#[derive(Default)]
struct Inner {
    news: Mutex<News>,
    /// Of whoever tells the client: connections to apps may drive themselves.
    teller: AtomicWaker,
}

#[derive(Default)]
struct News {
    heads: Vec<Response<()>>,
    all: Interims,
    /// Whether the client has been told to go on.
    has_gone_on: bool,
}

impl Herald {
    /// Hears what is said of `request`, if the head that it was made from wants a herald.
    pub(crate) fn listen<B>(from: &Parts, request: &mut Request<B>) {
        if let Some(herald) = from.extensions.get::<Self>().cloned() {
            hyper::ext::on_informational(request, move |said| herald.hear(said.status(), said.headers()));
        }
    }

    /// Tells a client to go on that waits for that with its body.
    pub(crate) fn go_on(&self) {
        self.hear(StatusCode::CONTINUE, &HeaderMap::new());
    }

    /// Takes note of an interim answer; of too many no more.
    fn hear(&self, status: StatusCode, headers: &HeaderMap) {
        let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let mut news = self.lock();
        if status == StatusCode::CONTINUE && std::mem::replace(&mut news.has_gone_on, true) {
            return;
        }
        if news.all.take(bytes) {
            news.heads.push(fit(status, headers.clone()));
            drop(news);
            self.0.teller.wake();
        }
    }

    /// What has been heard since this was asked last. Whoever asks is woken when there is more.
    pub(crate) fn news(&self, context: &Context<'_>) -> Vec<Response<()>> {
        self.0.teller.register(context.waker());
        std::mem::take(&mut self.lock().heads)
    }

    /// The content, also after a panic elsewhere: it is whole between calls.
    fn lock(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The head as a client gets it: without what ends here, and without a word of a body. Source: RFC 9110 section 8.6.
fn fit(status: StatusCode, mut headers: HeaderMap) -> Response<()> {
    hop::strip_response(&mut headers);
    // Of no meaning in an answer, and not allowed in HTTP/2. Source: RFC 9113 section 8.2.2.
    headers.remove(TE);
    headers.remove(CONTENT_LENGTH);
    let mut head = Response::new(());
    (*head.status_mut(), *head.headers_mut()) = (status, headers);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn what_is_heard_is_told_once_and_bounded() {
        let (herald, context) = (Herald::default(), Context::from_waker(Waker::noop()));
        let headers = [("link", "x"), ("content-length", "5"), ("connection", "x-mine"), ("x-mine", "1")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers);
        for _ in 0..2 * MOST {
            herald.hear(StatusCode::EARLY_HINTS, &headers);
        }
        let news = herald.news(&context);
        assert_eq!(news.len(), MOST as usize);
        assert_eq!((news[0].status(), news[0].headers().len()), (StatusCode::EARLY_HINTS, 1));
        assert!(herald.news(&context).is_empty());
    }

    #[test]
    fn a_client_is_told_to_go_on_once() {
        let (herald, context) = (Herald::default(), Context::from_waker(Waker::noop()));
        herald.go_on();
        herald.hear(StatusCode::CONTINUE, &HeaderMap::new());
        assert_eq!(herald.news(&context).len(), 1);
        herald.go_on();
        assert!(herald.news(&context).is_empty());
    }

    #[test]
    fn long_heads_are_bounded_too() {
        let mut interims = Interims::default();
        assert!(interims.take(MOST_BYTES) && !interims.take(1));
    }
}
