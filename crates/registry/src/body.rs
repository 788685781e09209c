//! Request bodies: streamed, bounded, and not waited for forever.

use crate::error::RequestError;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use deis_store::ByteStream;
use futures::{StreamExt, TryStreamExt, stream};
use std::{io, time::Duration};

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

/// The body as a stream that fails when the client sends too much, or nothing for too long.
pub(crate) fn stream(body: Body, bounds: Bounds) -> ByteStream {
    let content = body.into_data_stream();
    stream::try_unfold((content, bounds.offset), move |(mut content, size)| async move {
        let Some(piece) = next(&mut content, bounds.idle).await? else {
            return Ok(None);
        };
        let size = size + piece.len() as u64;
        match size > bounds.limit {
            true => Err(io::Error::other(TooLong { limit: bounds.limit })),
            false => Ok(Some((piece, (content, size)))),
        }
    })
    .boxed()
}

async fn next(content: &mut BodyDataStream, idle: Duration) -> io::Result<Option<Bytes>> {
    let piece = tokio::time::timeout(idle, content.next()).await;
    let piece = piece.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the client sends nothing"))?;
    piece.transpose().map_err(io::Error::other)
}

/// A small body in memory.
pub(crate) async fn read(body: Body, limit: u64, idle: Duration) -> Result<Bytes, RequestError> {
    let content = stream(body, Bounds { limit, offset: 0, idle });
    let add = |mut whole: Vec<u8>, piece: Bytes| async move {
        whole.extend_from_slice(&piece);
        Ok(whole)
    };
    Ok(content.try_fold(Vec::new(), add).await.map(Bytes::from)?)
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

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_not_waited_for() {
        let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let error = read(silent, 5, IDLE).await.unwrap_err();
        assert!(matches!(error, RequestError::Body(_)), "{error:?}");
    }
}
