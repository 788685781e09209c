//! Ending a tunnel before its container ends: politely, and between two messages.
//!
//! A WebSocket's client is told that its server goes away, so that it comes back to another one at once; the app hears
//! of that by the client's answer. Any other protocol just ends, by a closed half, as nobody here knows its words.

mod frames;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use frames::Frames;

/// A frame that closes, with the status 1001, "going away". Source: RFC 6455 sections 5.5.1 and 7.4.1.
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];

type Leaving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// `stream` of an endpoint, whose bytes pass until `leaving` ends.
pub(crate) fn until<S: AsyncRead + AsyncWrite>(
    stream: S,
    is_websocket: bool,
    leaving: impl Future<Output = ()> + Send + 'static,
) -> impl AsyncRead + AsyncWrite + Unpin {
    let (reading, writing) = tokio::io::split(stream);
    let frames = is_websocket.then(Frames::default);
    let farewell = Farewell { stream: reading, leaving: Box::pin(leaving), frames, stage: Stage::Open };
    tokio::io::join(farewell, writing)
}

/// What an endpoint sends, until it is time to leave.
struct Farewell<S> {
    stream: S,
    leaving: Leaving,
    frames: Option<Frames>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// All passes.
    Open,
    /// What has begun passes.
    Leaving,
    /// The client has been told. Nothing passes until the endpoint closes.
    Told,
    /// It looks closed.
    Ended,
}

impl<S> Farewell<S> {
    /// Where to go from `Leaving`, if it is time.
    fn tell(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        match &self.frames {
            None => self.stage = Stage::Ended,
            Some(frames) if frames.has_closed => self.stage = Stage::Open,
            Some(frames) if frames.missing().is_none() && buffer.remaining() >= GOING_AWAY.len() => {
                buffer.put_slice(&GOING_AWAY);
                self.stage = Stage::Told;
            }
            Some(_) => return false,
        }
        true
    }
}

impl<S: AsyncRead + Unpin> Farewell<S> {
    fn read_all(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if let Some(frames) = &mut self.frames {
            frames.follow(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads no further than to the end of the part of a frame that is under way.
    fn read_part(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let missing = self.frames.as_ref().and_then(Frames::missing).unwrap_or(1);
        let length = buffer.remaining().min(usize::try_from(missing).unwrap_or(usize::MAX));
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(length));
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let count = part.filled().len();
        if let Some(frames) = &mut self.frames {
            frames.follow(part.filled());
        }
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }

    /// Reads what nobody wants any more, to its end.
    fn read_away(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut unwanted = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut unwanted);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Farewell<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Whoever sent a closing frame needs none from here.
        let has_closed = this.frames.as_ref().is_some_and(|frames| frames.has_closed);
        if this.stage == Stage::Open && !has_closed && this.leaving.as_mut().poll(context).is_ready() {
            this.stage = Stage::Leaving;
        }
        if this.stage == Stage::Leaving && this.tell(buffer) && this.stage == Stage::Told {
            return Poll::Ready(Ok(()));
        }
        match this.stage {
            Stage::Open => this.read_all(context, buffer),
            Stage::Leaving => this.read_part(context, buffer),
            Stage::Told => this.read_away(context),
            Stage::Ended => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    /// What comes out when `first` was read before it is time to leave and `second` is sent after.
    async fn check(first: &[u8], second: &[u8], expected: &[u8]) {
        let (mut server, stream) = tokio::io::duplex(1 << 17);
        let (leave, leaving) = oneshot::channel::<()>();
        let leaving = async { _ = leaving.await };
        let mut farewell = until(stream, true, leaving);
        server.write_all(first).await.unwrap();
        let mut read = vec![0; first.len()];
        farewell.read_exact(&mut read).await.unwrap();
        leave.send(()).unwrap();
        server.write_all(second).await.unwrap();
        drop(server);
        farewell.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, [first, expected].concat());
    }

    #[tokio::test]
    async fn a_client_is_told_between_two_frames() {
        let text = [0x81, 3, b'a', b'b', b'c'];
        check(&[], &[], &GOING_AWAY).await;
        check(&text, &text, &GOING_AWAY).await;
        for cut in 1..text.len() {
            let rest = [&text[cut..], &GOING_AWAY].concat();
            check(&text[..cut], &[&text[cut..], &text].concat(), &rest).await;
        }
    }

    #[tokio::test]
    async fn frames_of_any_length_are_followed() {
        let content = vec![0xaa; 70_000];
        let middle = [&[0x82, 126, 0x01, 0x00][..], &content[..256]].concat();
        let long = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70][..], &content].concat();
        let masked = [&[0x81, 0x82, 1, 2, 3, 4][..], b"ab"].concat();
        for frame in [middle, long, masked, vec![0x89, 0]] {
            for cut in [1, frame.len() / 2, frame.len() - 1] {
                let rest = [&frame[cut..], &GOING_AWAY].concat();
                check(&frame[..cut], &[&frame[cut..], &[0x81, 1, 0]].concat(), &rest).await;
            }
        }
    }

    #[tokio::test]
    async fn a_server_that_closes_by_itself_is_not_interrupted() {
        let close = [0x88, 2, 0x03, 0xe8];
        check(&close, b"", b"").await;
        check(&close[..3], &close[3..], &close[3..]).await;
    }

    #[tokio::test]
    async fn another_protocol_just_ends() {
        let (mut server, stream) = tokio::io::duplex(64);
        let mut farewell = until(stream, false, std::future::ready(()));
        server.write_all(b"unread").await.unwrap();
        let mut read = Vec::new();
        farewell.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"");
        farewell.write_all(b"still heard").await.unwrap();
        farewell.shutdown().await.unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "still heard");
    }
}
