//! Answers' heads: what is passed on says what was read, and ends where the library sees its end.

use crate::fuzzing::library;
use crate::h1::answer::{Answer, Extent, Garbled, Head, Wish};
use crate::h1::buffer::Text;
use crate::h1::chunks::{BadChunk, Chunks};

/// The most lines that a head may have for it to be read again: some are added.
const MOST_LINES: usize = 90;

/// The answer in `bytes` must be one answer to all.
pub(crate) fn check(bytes: &[u8]) {
    for is_head in [false, true] {
        let wish = Wish { is_head, is_last: false };
        if let Ok(Some((answer, text))) = read(bytes, wish) {
            check_early(bytes, wish, &answer);
            check_again(&text, wish, &answer);
            check_end(bytes, is_head, &answer);
        }
    }
}

/// The answer, whose head is as long as it is with all interim ones before it.
fn read(bytes: &[u8], wish: Wish) -> Result<Option<(Answer, Vec<u8>)>, Garbled> {
    let mut start = 0;
    loop {
        let mut text = Text::new();
        match Answer::read(&bytes[start..], wish, None, &mut text)? {
            Some((Head::Final(answer), _)) => {
                let head_bytes = start + answer.head_bytes;
                return Ok(Some((Answer { head_bytes, ..answer }, text.to_vec())));
            }
            Some((Head::Interim(length), _)) => {
                check_interim(&text, wish);
                start += length;
            }
            None => return Ok(None),
        }
    }
}

/// What visitors are told before the answer is whole, and does not change when it is read once more.
fn check_interim(text: &[u8], wish: Wish) {
    let mut again = Text::new();
    let read = Answer::read(text, wish, None, &mut again).expect("it can be believed");
    assert!(matches!(read, Some((Head::Interim(length), _)) if length == text.len()));
    assert_eq!(again.escape_ascii().to_string(), text.escape_ascii().to_string());
}

/// It was neither refused nor taken before it was all there.
fn check_early(bytes: &[u8], wish: Wish, answer: &Answer) {
    for length in [1, answer.head_bytes / 2, answer.head_bytes - 1] {
        assert_eq!(read(&bytes[..length], wish), Ok(None), "{length} bytes");
    }
    let exact = read(&bytes[..answer.head_bytes], wish).map(|read| read.map(|(answer, _)| answer));
    assert_eq!(exact, Ok(Some(*answer)));
}

/// The head that visitors get means the same, and does not change when it is read once more.
fn check_again(text: &[u8], wish: Wish, answer: &Answer) {
    if text.split(|byte| *byte == b'\n').count() > MOST_LINES {
        return;
    }
    let (again, text_again) = read(text, wish).expect("it can be believed").expect("it is whole");
    let extent = if answer.extent == Extent::Connection { Extent::Chunked } else { answer.extent };
    assert_eq!((again.status, again.extent), (answer.status, extent));
    assert!(again.is_reusable && again.head_bytes == text.len());
    assert_eq!(text_again.escape_ascii().to_string(), text.escape_ascii().to_string());
}

fn check_end(bytes: &[u8], is_head: bool, answer: &Answer) {
    let Some(reply) = library::answer(bytes, is_head) else { return };
    assert_eq!(reply.status, answer.status);
    // What is refused is read in no other way.
    if let (Some(theirs), Ok(ours)) =
        (reply.body_bytes, body_bytes(&bytes[answer.head_bytes..], answer.extent))
    {
        assert_eq!(ours, Some(theirs));
    }
}

/// How long the body at the beginning of `rest` is, without the sizes of its chunks; none if it is not all there.
fn body_bytes(rest: &[u8], extent: Extent) -> Result<Option<u64>, BadChunk> {
    Ok(match extent {
        Extent::Length(length) => (rest.len() as u64 >= length).then_some(length),
        Extent::Connection => Some(rest.len() as u64),
        Extent::Chunked => {
            let mut chunks = Chunks::new();
            let end = chunks.read(rest, |_| {})?;
            chunks.is_done().then(|| data_bytes(&rest[..end]))
        }
    })
}

/// How many bytes of data are in the chunks of `body`, which is a whole one.
pub(super) fn data_bytes(mut body: &[u8]) -> u64 {
    let mut sum = 0;
    loop {
        let line = body.iter().position(|byte| *byte == b'\r').expect("a size has an end");
        let digits = body[..line].split(|byte| *byte == b';').next().expect("it begins with digits");
        let size = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.expect("a size is a number");
        if size == 0 {
            return sum;
        }
        sum += size as u64;
        body = &body[line + 2 + size + 2..];
    }
}
