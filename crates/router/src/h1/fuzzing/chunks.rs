//! Chunked bodies: they end at one place, however they come and whoever looks.

use std::task::{Context, Waker};

use super::answer::data_bytes;
use crate::fuzzing::framing;
use crate::fuzzing::library;
use crate::h1::buffer::Buffer;
use crate::h1::chunks::{BadChunk, Chunks, Part};
use crate::h1::upload::Intake;

/// The chunked body that `bytes` begin with must have one end.
pub(crate) fn check(bytes: &[u8]) {
    let whole = end(bytes, bytes.len().max(1));
    for size in [1, 3, 16] {
        assert_eq!(end(bytes, size), whole, "in pieces of {size}");
    }
    let Ok(Some(end)) = whole else { return };
    let body = &bytes[..end];
    assert_eq!(self::end(&body[..end - 1], end), Ok(None));
    let mut data = 0;
    let parts = Chunks::new()
        .read(body, |part| data += if let Part::Data(place) = part { place.len() as u64 } else { 0 });
    assert_eq!((parts, data), (Ok(end), data_bytes(body)));
    for size in [1, 3, 16, 4096] {
        check_cut_anew(body, size);
    }
    let asked = [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat();
    assert!(framing::ends_with(&asked));
    if let Some(length) = library::requests(&asked).first().and_then(|seen| seen.body_bytes) {
        assert_eq!(length, data_bytes(body));
    }
    let answered = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat();
    if let Some(length) = library::answer(&answered, false).and_then(|reply| reply.body_bytes) {
        assert_eq!(length, data_bytes(body));
    }
}

/// What an app gets of `body`, which is a whole one and comes in pieces of `size`, has the same data and one end.
fn check_cut_anew(body: &[u8], size: usize) {
    let (mut intake, mut cut) = (Intake::chunked(), Vec::new());
    for mut piece in body.chunks(size) {
        let mut buffer = Buffer::small();
        let _ = buffer.poll_fill(&mut Context::from_waker(Waker::noop()), &mut piece);
        let mut incoming = Some(buffer);
        intake.take_in(&mut incoming).expect("it is a whole one");
        cut.extend_from_slice(intake.piece(&incoming));
        let length = intake.piece(&incoming).len();
        intake.advance(&mut incoming, length);
    }
    assert!(intake.is_whole() && intake.is_empty());
    assert_eq!(end(&cut, cut.len()), Ok(Some(cut.len())));
    assert_eq!(data(&cut), data(body));
}

/// The data in the chunks of `body`.
fn data(body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let take = |part| {
        if let Part::Data(place) = part {
            data.extend_from_slice(&body[place]);
        }
    };
    let _ = Chunks::new().read(body, take);
    data
}

/// Where the body ends that comes in pieces of `size`; none if it does not.
fn end(bytes: &[u8], size: usize) -> Result<Option<usize>, BadChunk> {
    let (mut chunks, mut count) = (Chunks::new(), 0);
    for piece in bytes.chunks(size) {
        count += chunks.read(piece, |_| {})?;
        if chunks.is_done() {
            return Ok(Some(count));
        }
    }
    Ok(None)
}
