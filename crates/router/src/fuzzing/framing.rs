//! Where requests end: up to the first that is refused, the library and the one who watches it see the same ones.

use super::library::{self, Seen};
use super::naive::Head;
use crate::framing::{Fault, Framing};

pub(super) fn check(bytes: &[u8]) {
    let (starts, framing) = follow(bytes, 1);
    for size in [3, 7, bytes.len().max(1)] {
        let mut other = Framing::default();
        bytes.chunks(size).for_each(|piece| other.feed(piece));
        assert_eq!((other.fault(), other.bare_from()), (framing.fault(), framing.bare_from()));
    }
    if framing.is_http_2() {
        return;
    }
    let faulty = [framing.fault().map(|(number, _)| number), framing.bare_from()];
    let faulty = faulty.into_iter().flatten().min().unwrap_or(u64::MAX);
    for (number, seen) in (1..faulty).zip(library::requests(bytes)) {
        let place = usize::try_from(number - 1).expect("there are few");
        check_same(&bytes[*starts.get(place).expect("the library sees no more requests")..], &seen);
    }
}

/// Where each request begins.
fn follow(bytes: &[u8], size: usize) -> (Vec<usize>, Framing) {
    let (mut framing, mut starts, mut was_in_head) = (Framing::default(), Vec::new(), false);
    for (number, piece) in bytes.chunks(size).enumerate() {
        framing.feed(piece);
        // Empty lines may come before a request.
        let is_in_head = framing.is_in_head() && !matches!(bytes[number], b'\r' | b'\n');
        if is_in_head && !was_in_head {
            starts.push(number);
        }
        was_in_head = framing.is_in_head() && (was_in_head || is_in_head);
    }
    (starts, framing)
}

fn check_same(bytes: &[u8], seen: &Seen) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    assert!(line.starts_with(&format!("{} ", seen.method)), "{line:?} for {}", seen.method);
    // The library begins a query without a path with the one that it stands for.
    assert!(line.contains(seen.path.trim_start_matches('/')), "{line:?} for {}", seen.path);
    let head = Head::read(bytes);
    if let (Some(length), Some(body_bytes)) = (head.and_then(|head| head.body_bytes()), seen.body_bytes) {
        assert_eq!(body_bytes, length);
    }
}

/// Whether those who watch see a request in `bytes` that ends exactly with them.
pub(crate) fn ends_with(bytes: &[u8]) -> bool {
    let mut framing = Framing::default();
    framing.feed(bytes);
    let is_sound = framing.fault().is_none() && framing.bare_from().is_none() && !framing.is_in_head();
    // Were the body longer, this would belong to it; were it shorter, this would be the third.
    framing.feed(b"GET / HTTP/1.1\r\n\r\n");
    is_sound && framing.fault() == Some((2, Fault::NoHost))
}
