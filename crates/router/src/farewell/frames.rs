//! Where the frames of a WebSocket begin and end.

/// The longest head of a frame: two bytes, a length of eight, a mask.
const HEAD_BYTES: usize = 14;

/// Follows where frames begin and end, at a cost that grows with their number only. Source: RFC 6455 section 5.2.
#[derive(Default)]
pub(super) struct Frames {
    head: [u8; HEAD_BYTES],
    /// How much of a head is there.
    length: usize,
    /// How much of the frame's content is still to come.
    content: u64,
    /// Whether a frame that closes has begun.
    pub(super) has_closed: bool,
}

impl Frames {
    /// Takes in what passes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.content > 0 {
                let skipped = bytes.len().min(usize::try_from(self.content).unwrap_or(usize::MAX));
                self.content -= u64::try_from(skipped).expect("a length in memory");
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.length] = bytes[0];
            self.length += 1;
            bytes = &bytes[1..];
            if self.length >= 2 && self.length == self.head_length() {
                self.begin();
            }
        }
    }

    /// How long the head is whose first two bytes are there.
    fn head_length(&self) -> usize {
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        mask + match self.head[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    fn begin(&mut self) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        self.content = match self.head[1] & 0x7f {
            126 => number(&self.head[2..4]),
            127 => number(&self.head[2..10]),
            short => u64::from(short),
        };
        self.has_closed |= self.head[0] & 0x0f == 8;
        self.length = 0;
    }

    /// How much can be read at least before a frame ends; none between two.
    pub(super) fn missing(&self) -> Option<u64> {
        match (self.content, self.length) {
            (0, 0) => None,
            (0, 1) => Some(1),
            (0, length) => u64::try_from(self.head_length() - length).ok(),
            (content, _) => Some(content),
        }
    }
}
