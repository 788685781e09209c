//! An answer's body, compressed as it streams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::Encoder;

/// What is compressed at a time: then it is the turn of whoever else the core serves.
pub(crate) const TURN_BYTES: usize = 16 * 1024;

/// A body, compressed if there is an encoder for it.
pub(crate) struct Coded<B> {
    body: B,
    coder: Option<Box<Coder>>,
}

struct Coder {
    /// None once its end has come out.
    encoder: Option<Encoder>,
    /// What has arrived and is not compressed yet.
    input: Bytes,
    /// Whether something was compressed that has not come out.
    holds_back: bool,
    is_pausing: bool,
    /// They follow the last of the body.
    trailers: Option<HeaderMap>,
}

/// Why a compressed answer breaks off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompressError<E> {
    /// It broke off before it was compressed.
    #[error("the answer broke off")]
    Broken(#[source] E),
    /// Its coding failed.
    #[error("failed to compress the answer")]
    Coding(#[from] io::Error),
}

type Polled<E> = Poll<Option<Result<Frame<Bytes>, CompressError<E>>>>;

impl<B> Coded<B> {
    /// `body`, compressed by `encoder` if there is one.
    pub(crate) fn new(body: B, encoder: Option<Encoder>) -> Self {
        let coder = |encoder| {
            let (input, encoder) = (Bytes::new(), Some(encoder));
            Box::new(Coder { encoder, input, holds_back: false, is_pausing: false, trailers: None })
        };
        Self { body, coder: encoder.map(coder) }
    }
}

impl Coder {
    /// Compresses a turn's worth of what has arrived; what comes out, if anything does.
    fn turn(&mut self) -> io::Result<Option<Bytes>> {
        let Some(encoder) = &mut self.encoder else { return Ok(None) };
        let length = self.input.len().min(TURN_BYTES);
        encoder.write(&self.input[..length])?;
        self.input.advance(length);
        let out = encoder.take();
        self.holds_back = true;
        Ok(Some(out).filter(|out| !out.is_empty()))
    }

    fn flush(&mut self) -> io::Result<Option<Bytes>> {
        let Some(encoder) = &mut self.encoder else { return Ok(None) };
        self.holds_back = false;
        encoder.flush()?;
        Ok(Some(encoder.take()).filter(|out| !out.is_empty()))
    }

    fn finish(&mut self) -> io::Result<Option<Bytes>> {
        self.encoder.take().map(Encoder::finish).transpose()
    }

    fn poll<B: Body<Data = Bytes> + Unpin>(
        &mut self,
        body: &mut B,
        context: &mut Context<'_>,
    ) -> Polled<B::Error> {
        loop {
            if !self.input.is_empty() {
                self.is_pausing = !self.is_pausing;
                if !self.is_pausing {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if let Some(out) = self.turn()? {
                    return data(out);
                }
                continue;
            }
            if self.encoder.is_none() {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            let out = match Pin::new(&mut *body).poll_frame(context) {
                Poll::Pending if !self.holds_back => return Poll::Pending,
                Poll::Pending => match self.flush()? {
                    Some(out) => return data(out),
                    None => return Poll::Pending,
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(CompressError::Broken(error)))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(input) => {
                        self.input = input;
                        continue;
                    }
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        self.finish()?
                    }
                },
                Poll::Ready(None) => self.finish()?,
            };
            if let Some(out) = out.filter(|out| !out.is_empty()) {
                return data(out);
            }
        }
    }
}

fn data<E>(out: Bytes) -> Polled<E> {
    Poll::Ready(Some(Ok(Frame::data(out))))
}

impl<B: Body<Data = Bytes> + Unpin> Body for Coded<B> {
    type Data = Bytes;
    type Error = CompressError<B::Error>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled<B::Error> {
        let this = &mut *self;
        match &mut this.coder {
            Some(coder) => coder.poll(&mut this.body, context),
            None => Pin::new(&mut this.body).poll_frame(context).map_err(CompressError::Broken),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.coder {
            Some(coder) => coder.encoder.is_none() && coder.trailers.is_none(),
            None => self.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.coder {
            Some(_) => SizeHint::default(),
            None => self.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Encoders;
    use crate::compress::encoder::decompress;
    use deis_model::routing::Encoding;
    use http_body_util::{BodyExt, Full, StreamBody};
    use tokio::sync::mpsc;

    fn encoder() -> Option<Encoder> {
        Encoders::default().make(Encoding::Gzip, 5)
    }

    #[tokio::test]
    async fn a_body_of_any_length_is_compressed_whole() {
        for length in [0, 1, TURN_BYTES, TURN_BYTES + 1, 10 * TURN_BYTES] {
            let text: Vec<u8> = (0..length).map(|place| b"deis"[place % 4]).collect();
            let body = Coded::new(Full::new(Bytes::from(text.clone())), encoder());
            let out = body.collect().await.unwrap().to_bytes();
            assert_eq!(decompress(Encoding::Gzip, &out).unwrap(), text, "{length} bytes");
        }
    }

    #[tokio::test]
    async fn what_an_app_has_said_is_not_held_back() {
        use std::io::Read;
        let (say, said) = mpsc::channel::<Result<Frame<Bytes>, io::Error>>(1);
        let said = futures::stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
        let mut body = Coded::new(StreamBody::new(Box::pin(said)), encoder());
        let mut out = Vec::new();
        for event in ["one", "two"] {
            say.send(Ok(Frame::data(Bytes::from(event)))).await.unwrap();
            let mut seen = String::new();
            while !seen.ends_with(event) {
                out.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
                seen.clear();
                // Ends with an error where the rest is missing, after all that is there.
                let _ = flate2::read::GzDecoder::new(&out[..]).read_to_string(&mut seen);
            }
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        say.send(Ok(Frame::trailers(trailers.clone()))).await.unwrap();
        let rest = body.collect().await.unwrap();
        assert_eq!(rest.trailers(), Some(&trailers));
        out.extend_from_slice(&rest.to_bytes());
        assert_eq!(decompress(Encoding::Gzip, &out).unwrap(), b"onetwo");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_breaks_off_compressed_too() {
        let parts = [Ok(Frame::data(Bytes::from("begun"))), Err(io::Error::other("cut"))];
        let body = Coded::new(StreamBody::new(futures::stream::iter(parts)), encoder());
        assert!(matches!(body.collect().await, Err(CompressError::Broken(_))));
    }
}
