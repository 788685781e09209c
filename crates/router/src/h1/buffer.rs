//! Memory for what passes through: taken from the core when something arrives, given back when nothing is in it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes for a request's head: a longer one is out of the common.
const SMALL_BYTES: usize = 8 * 1024;

/// Bytes for parts of answers: as many as most frames hold, and a head.
const MEDIUM_BYTES: usize = 18 * 1024;

/// Bytes for answers: 64 KiB and a head.
const LARGE_BYTES: usize = 66 * 1024;

/// How many of a size a core keeps while nobody needs them.
const KEPT: usize = 32;

/// The most that a text may hold to be kept.
const KEPT_TEXT_BYTES: usize = 16 * 1024;

thread_local! {
    static FREE: RefCell<Free> = const { RefCell::new(Free::new()) };
}

struct Free {
    small: Vec<Box<[u8]>>,
    medium: Vec<Box<[u8]>>,
    large: Vec<Box<[u8]>>,
    texts: Vec<Vec<u8>>,
}

impl Free {
    const fn new() -> Self {
        Self { small: Vec::new(), medium: Vec::new(), large: Vec::new(), texts: Vec::new() }
    }

    /// Those as large as one of `length`.
    fn like(&mut self, length: usize) -> &mut Vec<Box<[u8]>> {
        match length {
            SMALL_BYTES => &mut self.small,
            MEDIUM_BYTES => &mut self.medium,
            _ => &mut self.large,
        }
    }
}

/// A piece of memory that is filled at its end and emptied at its beginning.
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// One for requests.
    pub(crate) fn small() -> Self {
        Self::of(SMALL_BYTES)
    }

    /// One for answers.
    pub(crate) fn large() -> Self {
        Self::of(LARGE_BYTES)
    }

    /// One for parts of answers that may have to wait.
    pub(crate) fn medium() -> Self {
        Self::of(MEDIUM_BYTES)
    }

    fn of(size: usize) -> Self {
        let kept = FREE.with_borrow_mut(|free| free.like(size).pop());
        let bytes = kept.unwrap_or_else(|| vec![0; size].into_boxed_slice());
        Self { bytes, start: 0, end: 0 }
    }

    /// What is in it.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether nothing more can be read into it.
    pub(crate) fn is_full(&self) -> bool {
        self.end == self.bytes.len()
    }

    /// The same with room for more; none if it is full and there are no larger ones.
    pub(crate) fn with_room(self) -> Option<Self> {
        if !self.is_full() {
            return Some(self);
        }
        let mut larger = Self::large();
        let filled = self.filled();
        larger.end = filled.len();
        larger.bytes.get_mut(..larger.end)?.copy_from_slice(filled);
        Some(larger).filter(|larger| !larger.is_full())
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Moves what is in it to the beginning, which makes room at the end.
    pub(crate) fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
    }

    /// Reads from `source` what is there, up to what there is room for; 0 at its end. Must not be full.
    pub(crate) fn poll_fill<R: AsyncRead + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        source: &mut R,
    ) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(&mut self.bytes[self.end..]);
        ready!(Pin::new(source).poll_read(context, &mut room))?;
        let count = room.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        FREE.with_borrow_mut(|free| {
            let list = free.like(bytes.len());
            if list.len() < KEPT {
                list.push(bytes);
            }
        });
    }
}

/// Text that is being put together.
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(FREE.with_borrow_mut(|free| free.texts.pop()).unwrap_or_else(|| Vec::with_capacity(2048)))
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl std::ops::Deref for Text {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl std::ops::DerefMut for Text {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        let mut text = std::mem::take(&mut self.0);
        if text.capacity() <= KEPT_TEXT_BYTES {
            text.clear();
            FREE.with_borrow_mut(|free| {
                if free.texts.len() < KEPT {
                    free.texts.push(text);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn fill(buffer: &mut Buffer, mut bytes: &[u8]) -> usize {
        poll_fn(|context| buffer.poll_fill(context, &mut bytes)).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_filled_in_comes_out_in_order() {
        let mut buffer = Buffer::small();
        assert_eq!(fill(&mut buffer, b"one two").await, 7);
        buffer.consume(4);
        buffer.compact();
        fill(&mut buffer, b" three").await;
        assert_eq!(buffer.filled(), b"two three");
        buffer.consume(9);
        assert!(buffer.is_empty() && !buffer.is_full());
        assert_eq!(fill(&mut buffer, &[b'x'; SMALL_BYTES + 1]).await, SMALL_BYTES);
        assert!(buffer.is_full());
        assert_eq!(fill(&mut Buffer::large(), b"").await, 0);
    }

    #[test]
    fn memory_that_comes_back_is_used_again_and_empty() {
        let mut text = Text::new();
        text.extend_from_slice(b"secret");
        drop(text);
        assert!(Text::new().is_empty());
        let buffer = Buffer::small();
        let place = buffer.bytes.as_ptr();
        drop(buffer);
        assert_eq!(Buffer::small().bytes.as_ptr(), place);
    }
}
