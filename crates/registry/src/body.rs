//! Request bodies: streamed, bounded, and not waited for forever.

use crate::error::RequestError;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use deis_store::ByteStream;
use futures::{StreamExt, TryStreamExt, stream};
use std::{io, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// The cause of the failure when a body is longer than allowed.
#[derive(Debug, thiserror::Error)]
#[error("the content is longer than the {limit} bytes allowed")]
pub(crate) struct TooLong {
    pub(crate) limit: u64,
}

/// Bounds on one body.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// The most bytes that the whole may have.
    pub(crate) limit: u64,
    /// How many of them are there already.
    pub(crate) offset: u64,
    /// How long the client may send nothing.
    pub(crate) idle: Duration,
}

/// How long the rest of a body is read that nobody wants.
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// A body that is arriving.
#[derive(Clone)]
pub(crate) struct Incoming {
    content: Arc<Mutex<BodyDataStream>>,
    bounds: Bounds,
}

impl Incoming {
    pub(crate) fn new(body: Body, bounds: Bounds) -> Self {
        Self { content: Arc::new(Mutex::new(body.into_data_stream())), bounds }
    }

    /// The body as a stream that fails when the client sends too much, or nothing for too long.
    pub(crate) fn stream(&self) -> ByteStream {
        stream::try_unfold((self.clone(), self.bounds.offset), |(incoming, size)| async move {
            let Some(piece) = incoming.next().await? else {
                return Ok(None);
            };
            let size = size + piece.len() as u64;
            match size > incoming.bounds.limit {
                true => Err(io::Error::other(TooLong { limit: incoming.bounds.limit })),
                false => Ok(Some((piece, (incoming, size)))),
            }
        })
        .boxed()
    }

    /// Reads the rest and drops it.
    ///
    /// A client that is still sending when the connection closes sees a broken pipe instead of the answer that says
    /// what went wrong.
    pub(crate) async fn discard(&self) {
        let rest = async { while let Ok(Some(_)) = self.next().await {} };
        let _ = tokio::time::timeout(DISCARD_TIME, rest).await;
    }

    async fn next(&self) -> io::Result<Option<Bytes>> {
        let mut content = self.content.lock().await;
        let piece = tokio::time::timeout(self.bounds.idle, content.next()).await;
        let piece = piece.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the client sends nothing"))?;
        piece.transpose().map_err(io::Error::other)
    }
}

/// A small body in memory.
pub(crate) async fn read(body: Body, limit: u64, idle: Duration) -> Result<Bytes, RequestError> {
    let incoming = Incoming::new(body, Bounds { limit, offset: 0, idle });
    let add = |mut whole: Vec<u8>, piece: Bytes| async move {
        whole.extend_from_slice(&piece);
        Ok(whole)
    };
    match incoming.stream().try_fold(Vec::new(), add).await {
        Ok(whole) => Ok(whole.into()),
        Err(error) => {
            incoming.discard().await;
            Err(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_body_may_be_as_long_as_its_limit() {
        assert_eq!(read(Body::from("12345"), 5, IDLE).await.unwrap(), "12345");
        let error = read(Body::from("123456"), 5, IDLE).await.unwrap_err();
        assert!(matches!(error, RequestError::TooLarge { limit: 5 }), "{error:?}");
    }

    #[tokio::test]
    async fn a_silent_client_is_not_waited_for() {
        let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let error = read(silent, 5, Duration::from_millis(10)).await.unwrap_err();
        assert!(matches!(error, RequestError::Body(_)), "{error:?}");
    }
}
