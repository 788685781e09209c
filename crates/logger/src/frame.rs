//! How a record lies in a segment.
//!
//! `length u32 | crc32 u32 | payload | length u32`, little endian; the payload is
//! `timestamp i64 | length of source u8 | source | text`. The length at the end lets a reader go backwards.

use crate::record::{MAX_TEXT_BYTES, Record};

/// What a frame takes besides its payload.
const OVERHEAD: usize = 12;
/// Timestamp and length of the source.
const FIXED: usize = 9;
/// No payload is longer.
const MAX_PAYLOAD: usize = FIXED + u8::MAX as usize + MAX_TEXT_BYTES;

/// The bytes that hold the length of the last frame.
pub(crate) const TRAILER: usize = 4;

/// Appends `record`, which [`Record::accept`] made, as a frame.
pub(crate) fn encode(record: &Record, into: &mut Vec<u8>) {
    let start = into.len();
    into.extend_from_slice(&[0; 8]);
    into.extend_from_slice(&record.timestamp.to_le_bytes());
    into.push(u8::try_from(record.source.len()).expect("accepted sources are shorter than 128 bytes"));
    into.extend_from_slice(record.source.as_bytes());
    into.extend_from_slice(record.text.as_bytes());
    let payload = &into[start + 8..];
    let checksum = crc32fast::hash(payload).to_le_bytes();
    let length = u32::try_from(payload.len()).expect("accepted texts are cut to 64 KiB").to_le_bytes();
    into[start..start + 4].copy_from_slice(&length);
    into[start + 4..start + 8].copy_from_slice(&checksum);
    into.extend_from_slice(&length);
}

/// A record where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framed<'a> {
    /// Unix time in nanoseconds.
    pub(crate) timestamp: i64,
    /// Who printed it.
    pub(crate) source: &'a str,
    text: &'a str,
}

impl Framed<'_> {
    /// A copy of its own.
    pub(crate) fn to_record(self) -> Record {
        Record { timestamp: self.timestamp, source: self.source.to_owned(), text: self.text.to_owned() }
    }
}

/// The first record in `bytes` and the length of its frame; none if it is torn or damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Framed<'_>, usize)> {
    let length = length_at(bytes, 0)?;
    let frame = bytes.get(..length + OVERHEAD)?;
    let (head, rest) = frame.split_at(8);
    let (payload, trailer) = rest.split_at(length);
    let whole = head[..4] == *trailer && head[4..] == crc32fast::hash(payload).to_le_bytes();
    whole.then(|| parse(payload)).flatten().map(|record| (record, frame.len()))
}

/// The length of the frame that ends where `bytes` end; none if there cannot be one.
pub(crate) fn last_length(bytes: &[u8]) -> Option<usize> {
    let at = bytes.len().checked_sub(TRAILER)?;
    length_at(bytes, at).map(|length| length + OVERHEAD)
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let length: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    (FIXED..=MAX_PAYLOAD).contains(&length).then_some(length)
}

fn parse(payload: &[u8]) -> Option<Framed<'_>> {
    let (timestamp, rest) = payload.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first()?;
    let (source, text) = rest.split_at_checked(usize::from(*length))?;
    Some(Framed {
        timestamp: i64::from_le_bytes(*timestamp),
        source: std::str::from_utf8(source).ok()?,
        text: std::str::from_utf8(text).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> (Record, Vec<u8>) {
        let record = Record { timestamp: -5, source: "web.1".into(), text: text.into() };
        let mut bytes = Vec::new();
        encode(&record, &mut bytes);
        (record, bytes)
    }

    #[test]
    fn a_frame_reads_back_from_both_ends() {
        for text in ["", "hello", &"x".repeat(MAX_TEXT_BYTES)] {
            let (record, bytes) = frame(text);
            let (framed, length) = decode(&bytes).unwrap();
            assert_eq!((framed.to_record(), length), (record, bytes.len()));
            assert_eq!(last_length(&bytes), Some(bytes.len()));
        }
    }

    #[test]
    fn a_torn_or_damaged_frame_is_noticed() {
        let (_, bytes) = frame("hello");
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_none(), "damaged at {at}");
        }
    }
}
