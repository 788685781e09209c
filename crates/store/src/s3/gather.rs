//! Content gathered to the size of a part.

use crate::object::ByteStream;
use bytes::Bytes;
use futures::StreamExt;
use object_store::PutPayload;
use std::io;

/// Bytes to be sent in one request.
pub(super) struct Gathered {
    pub(super) payload: PutPayload,
    pub(super) size: u64,
    /// Whether the content has ended with these bytes, and how.
    pub(super) end: Option<io::Result<()>>,
}

/// Takes at least `wanted` bytes of `content`, or what is left of it.
pub(super) async fn gather(content: &mut ByteStream, wanted: u64) -> Gathered {
    let (mut pieces, mut size, mut end) = (Vec::<Bytes>::new(), 0, None);
    while size < wanted && end.is_none() {
        match content.next().await {
            Some(Ok(piece)) => {
                size += piece.len() as u64;
                pieces.push(piece);
            }
            Some(Err(failure)) => end = Some(Err(failure)),
            None => end = Some(Ok(())),
        }
    }
    Gathered { payload: pieces.into_iter().collect(), size, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    #[tokio::test]
    async fn content_is_gathered_until_it_is_enough_or_ends() {
        let pieces = ["ab", "cd", "ef"].map(|piece| Ok(Bytes::from(piece)));
        let mut content = stream::iter(pieces).boxed();
        let first = gather(&mut content, 3).await;
        assert_eq!((first.size, first.end.is_none()), (4, true));
        let second = gather(&mut content, 3).await;
        assert_eq!((second.size, second.end.unwrap().is_ok()), (2, true));
    }

    #[tokio::test]
    async fn bytes_before_a_failure_are_kept() {
        let pieces = [Ok(Bytes::from("ab")), Err(io::Error::other("cut"))];
        let gathered = gather(&mut stream::iter(pieces).boxed(), 10).await;
        assert_eq!(Bytes::from(gathered.payload), "ab");
        assert_eq!(gathered.end.unwrap().unwrap_err().to_string(), "cut");
    }
}
